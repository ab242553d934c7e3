"""The cloud assembly that the CDK synthesized: what is in it, whether it can be rehearsed, and its deployment.

It does what `cdk bootstrap` and `cdk deploy` do: the same files, names and API calls, without their start-up time.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal import assembly_assets, assembly_bootstrap, cloudformation_types_network, credentials
from mlops.rehearsal import cloudformation_types as types
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    (
        "the CDK's deploy, publishing and lookup roles",
        "the operator deploys and publishes; CloudFormation uses its execution role",
    ),
)
_CHANGE_SET = "cdk-deploy-change-set"
_POLL_SECONDS = 0.15
_LIMIT_SECONDS = 900.0
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_PLACEHOLDER = re.compile(r"\$\{AWS::(AccountId|Region|Partition|URLSuffix)\}")


class AssemblyError(RuntimeError):
    """The assembly cannot be rehearsed, or its deployment failed; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A resource that the emulated AWS does not represent."""

    stack: str
    logical_id: str
    type_name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stack}: {self.logical_id} ({self.type_name}): {self.reason}"


@dataclass(frozen=True)
class StackArtifact:
    """A stack of an assembly."""

    name: str
    artifact_id: str
    account: str
    region: str
    template_path: Path
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    role_arn: str | None
    dependencies: tuple[str, ...]
    template_url: str | None
    logical_ids: Mapping[str, str] = field(default_factory=dict)
    """Construct paths by logical id."""

    @cached_property
    def body(self) -> str:
        """The template as text."""
        return self.template_path.read_text(encoding="utf-8")

    @cached_property
    def template(self) -> dict[str, Any]:
        """The template."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    def owner(self, logical_id: str) -> str:
        """Return the construct path of a resource."""
        metadata = self.template["Resources"].get(logical_id, {}).get("Metadata", {})
        return str(metadata.get("aws:cdk:path") or self.logical_ids.get(logical_id) or f"{self.name}/{logical_id}")


class Assembly:
    """A cloud assembly on disk."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest in `folder`.

        Raises:
            AssemblyError: there is none.

        """
        self.folder = folder
        path = folder / "manifest.json"
        if not path.exists():
            msg = f"{folder} is no cloud assembly: it has no manifest.json; run the synthesis first"
            raise AssemblyError(msg)
        self._artifacts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["artifacts"]
        stacks = [self._stack(artifact_id) for artifact_id in self._of_type("aws:cloudformation:stack")]
        names = Counter(stack.name for stack in stacks)
        # As for the CDK's command line: a name that is there in several accounts gives way to the artifact's id.
        self.stacks = {stack.name if names[stack.name] == 1 else stack.artifact_id: stack for stack in stacks}

    def _of_type(self, kind: str) -> list[str]:
        return [name for name, artifact in self._artifacts.items() if artifact["type"] == kind]

    def _stack(self, artifact_id: str) -> StackArtifact:
        artifact = self._artifacts[artifact_id]
        properties = artifact.get("properties", {})
        account, region = artifact["environment"].removeprefix("aws://").split("/")
        metadata = dict(artifact.get("metadata", {}))
        if "additionalMetadataFile" in artifact:
            text = (self.folder / artifact["additionalMetadataFile"]).read_text(encoding="utf-8")
            metadata |= json.loads(text)
        logical_ids = {
            entry["data"]: path.removeprefix("/")
            for path, entries in metadata.items()
            for entry in entries
            if entry["type"] == "aws:cdk:logicalId"
        }
        return StackArtifact(
            name=properties.get("stackName", artifact_id),
            artifact_id=artifact_id,
            account=account,
            region=region,
            template_path=self.folder / properties["templateFile"],
            parameters=properties.get("parameters", {}),
            tags=properties.get("tags", {}),
            role_arn=_filled(properties.get("cloudFormationExecutionRoleArn", ""), account, region) or None,
            dependencies=tuple(artifact.get("dependencies", ())),
            template_url=properties.get("stackTemplateAssetObjectUrl"),
            logical_ids=logical_ids,
        )

    def assets(self, names: Iterable[str] | None = None) -> list[assembly_assets.FileAsset]:
        """Return the file assets of stacks (all, if None), each once."""
        found: dict[tuple[str, str], assembly_assets.FileAsset] = {}
        for stack in self.stacks.values() if names is None else [self.stacks[name] for name in names]:
            artifact = self._artifacts.get(f"{stack.artifact_id}.assets")
            if artifact is None:
                continue
            fill = partial(_filled, account=stack.account, region=stack.region)
            manifest = self.folder / artifact["properties"]["file"]
            for asset in assembly_assets.read(manifest, fill, account=stack.account, region=stack.region):
                found.setdefault((asset.bucket, asset.key), asset)
        return list(found.values())

    def images(self) -> list[str]:
        """Return the names of container image assets, which are not built here."""
        return [
            image
            for name in self._of_type("cdk:asset-manifest")
            for image in json.loads((self.folder / self._artifacts[name]["properties"]["file"]).read_text("utf-8")).get(
                "dockerImages", {}
            )
        ]

    def in_order(self, names: Iterable[str]) -> list[StackArtifact]:
        """Return stacks so that each one comes after those that it depends on, as far as they are among `names`."""
        wanted = list(names)
        unknown = [name for name in wanted if name not in self.stacks]
        if unknown:
            msg = f"the assembly has no stack {', '.join(unknown)}; it has {', '.join(self.stacks)}"
            raise AssemblyError(msg)
        by_artifact = {stack.artifact_id: stack for stack in self.stacks.values()}
        order: list[StackArtifact] = []

        def visit(stack: StackArtifact) -> None:
            for needed in stack.dependencies:
                if needed in by_artifact:
                    visit(by_artifact[needed])
            if stack not in order:
                order.append(stack)

        for name in wanted:
            visit(self.stacks[name])
        chosen = {self.stacks[name].artifact_id for name in wanted}
        return [stack for stack in order if stack.artifact_id in chosen]

    def coverage(self, names: Iterable[str] | None = None) -> list[Refusal]:
        """Return every resource of stacks (all, if None) that is neither made for real nor accepted with a reason."""
        stacks = [self.stacks[name] for name in (self.stacks if names is None else names)]
        refusals = [
            Refusal(stack.name, logical_id, resource["Type"], reason)
            for stack in stacks
            for logical_id, resource in stack.template["Resources"].items()
            for reason in types.refusals(resource)
        ]
        stack = next(iter(self.stacks), "")
        return refusals + [
            Refusal(stack, image, "container image asset", "no image is built here") for image in self.images()
        ]

    def recorded(self) -> list[tuple[str, str]]:
        """Return what is accepted without an effect, each with the reason, for the report."""
        found: dict[str, str] = {}
        for stack in self.stacks.values():
            for resource in stack.template["Resources"].values():
                found.update(types.recorded_only(resource))
        found.update(cloudformation_types_network.given(stack.body for stack in self.stacks.values()))
        return sorted(found.items())

    def role_owner(self, role_arn: str) -> str | None:
        """Return the construct path of a deployed role, None if no stack of this assembly made it."""
        name, account = role_arn.rsplit("/", 1)[-1], role_arn.split(":")[4]
        for stack in (stack for stack in self.stacks.values() if stack.account == account):
            for resource in _deployed(stack):
                if resource["ResourceType"] == "AWS::IAM::Role" and resource.get("PhysicalResourceId") == name:
                    return stack.owner(resource["LogicalResourceId"])
        return None


def _filled(text: str, account: str, region: str) -> str:
    values = {"AccountId": account, "Region": region, "Partition": "aws", "URLSuffix": "amazonaws.com"}
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _client(stack: StackArtifact) -> Any:
    return credentials.client("cloudformation", account=stack.account, region=stack.region)


def _deployed(stack: StackArtifact) -> list[dict[str, Any]]:
    client = _client(stack)
    try:
        found: list[dict[str, Any]] = client.describe_stack_resources(StackName=stack.name)["StackResources"]
    except ClientError:
        return []
    return found


# What a rehearsal calls.


def coverage(folder: Path, stacks: Iterable[str] | None = None) -> list[Refusal]:
    """Return every resource of `stacks` (all, if None) of the assembly in `folder` that cannot be rehearsed."""
    return Assembly(folder).coverage(stacks)


def check_coverage(folder: Path, stacks: Iterable[str] | None = None) -> None:
    """Refuse stacks (all, if None) of an assembly with something in it that the emulated AWS does not represent.

    Raises:
        AssemblyError: names every such resource.

    """
    refusals = coverage(folder, stacks)
    if refusals:
        lines = "\n".join(f"  {refusal}" for refusal in refusals)
        msg = f"the rehearsal cannot represent {len(refusals)} parts of the cloud assembly:\n{lines}"
        raise AssemblyError(msg)


_latest: list[Assembly] = []


def role_owner(role_arn: str) -> str | None:
    """Return the construct path of a role that the latest deployment made."""
    return _latest[-1].role_owner(role_arn) if _latest else None


def deploy(
    folder: Path, stacks: Iterable[str] | None = None, *, parameters: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, dict[str, str]]:
    """Bootstrap, publish the assets and deploy `stacks` (all, if None) in order; return their outputs.

    Each stack goes to its own account and region, as that account's operator; `parameters` are by the stack's name.

    Raises:
        AssemblyError: a stack failed; with the first failed resource and its reason.

    """
    assembly = Assembly(folder)
    _latest[:] = [assembly]
    chosen = assembly.in_order(assembly.stacks if stacks is None else stacks)
    for account, region in dict.fromkeys((stack.account, stack.region) for stack in chosen):
        try:
            assembly_bootstrap.bootstrap(account=account, region=region)
        except assembly_bootstrap.BootstrapError as error:
            raise AssemblyError(str(error)) from error
    names = {stack.artifact_id: name for name, stack in assembly.stacks.items()}
    by_name = {names[stack.artifact_id]: stack for stack in chosen}
    assembly_assets.publish(assembly.assets(by_name))
    return {name: deploy_stack(stack, (parameters or {}).get(name, {})) for name, stack in by_name.items()}


def deploy_stack(stack: StackArtifact, parameters: Mapping[str, str]) -> dict[str, str]:
    """Deploy one stack by change set, as `cdk deploy` does; return its outputs."""
    client = _client(stack)
    began = time.monotonic()
    TIMELINE.emit(Kind.STEP, f"deploy {stack.name}", Phase.STARTED)
    try:
        _deploy(client, stack, parameters)
    except (AssemblyError, ClientError) as error:
        TIMELINE.emit(Kind.STEP, f"deploy {stack.name}", Phase.FAILED, cause=str(error))
        if isinstance(error, ClientError):
            msg = f"stack {stack.name} was refused: {error}"
            raise AssemblyError(msg) from error
        raise
    TIMELINE.emit(
        Kind.STEP,
        f"deploy {stack.name}",
        Phase.SUCCEEDED,
        resources=len(_deployed(stack)),
        seconds=time.monotonic() - began,
    )
    described = client.describe_stacks(StackName=stack.name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _deploy(client: Any, stack: StackArtifact, parameters: Mapping[str, str]) -> None:
    status = _status(client, stack.name)
    if status == "ROLLBACK_COMPLETE":
        client.delete_stack(StackName=stack.name)
        _wait(client, stack.name)
        status = None
    creating = status in {None, "REVIEW_IN_PROGRESS"}
    url = _filled(stack.template_url or "", stack.account, stack.region)
    template = {"TemplateURL": _object_url(url, stack.region)} if url else {"TemplateBody": stack.body}
    values = {**stack.parameters, **parameters}
    given: list[dict[str, Any]] = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    if not creating:
        declared = stack.template.get("Parameters", {})
        given += [{"ParameterKey": key, "UsePreviousValue": True} for key in declared if key not in values]
    client.delete_change_set(StackName=stack.name, ChangeSetName=_CHANGE_SET)
    change_set = client.create_change_set(
        StackName=stack.name,
        ChangeSetName=_CHANGE_SET,
        ChangeSetType="CREATE" if creating else "UPDATE",
        Parameters=given,
        Tags=[{"Key": key, "Value": value} for key, value in stack.tags.items()],
        Capabilities=_CAPABILITIES,
        **template,
        **({"RoleARN": stack.role_arn} if stack.role_arn else {}),
    )["Id"]
    described = client.describe_change_set(ChangeSetName=change_set)
    if described["Status"] == "FAILED":
        if "didn't contain changes" in described["StatusReason"]:
            client.delete_change_set(ChangeSetName=change_set)
            return
        msg = f"the change set of stack {stack.name} failed: {described['StatusReason']}"
        raise AssemblyError(msg)
    client.execute_change_set(ChangeSetName=change_set)
    end = _wait(client, stack.name)
    if end not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise AssemblyError(_why(client, stack, end))


def _object_url(url: str, region: str) -> str:
    # s3://bucket/key: CloudFormation wants HTTPS, and moto finds the bucket in the host name.
    bucket, key = url.removeprefix("s3://").split("/", 1)
    return f"https://{bucket}.s3.{region}.amazonaws.com/{key}"


def _status(client: Any, name: str) -> str | None:
    try:
        return str(client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _wait(client: Any, name: str) -> str | None:
    deadline = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < deadline:
        status = _status(client, name)
        if status is None or not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(_POLL_SECONDS)
    msg = f"stack {name} did not come to rest within {_LIMIT_SECONDS:.0f} s"
    raise AssemblyError(msg)


def _why(client: Any, stack: StackArtifact, status: str | None) -> str:
    lines = [
        f"  {stack.owner(event['LogicalResourceId'])} ({event['ResourceType']}): {event.get('ResourceStatusReason')}"
        for page in client.get_paginator("describe_stack_events").paginate(StackName=stack.name)
        for event in page["StackEvents"]
        if event["ResourceStatus"].endswith("_FAILED") and event["LogicalResourceId"] != stack.name
    ]
    reason = client.describe_stacks(StackName=stack.name)["Stacks"][0].get("StackStatusReason", "")
    return "\n".join([f"stack {stack.name} ended {status}: {reason}", *reversed(lines)])
