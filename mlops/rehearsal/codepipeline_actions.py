"""What an action of a pipeline has at hand: its role, its configuration, its artifacts, and patience."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal import credentials
from mlops.rehearsal.codepipeline_definition import VARIABLE, store_of
from mlops.rehearsal.codepipeline_runs import Abandoned, ActionError, ActionRun, PipelineRun, now
from mlops.rehearsal.credentials import Credentials

PRINCIPAL = "codepipeline.amazonaws.com"
FOREVER = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at an action, seen from the code that carries it out."""

    run: PipelineRun
    attempt: ActionRun

    @property
    def action(self) -> Mapping[str, Any]:
        """Return the action's declaration."""
        return self.attempt.action

    @property
    def configuration(self) -> Mapping[str, str]:
        """Return the configuration with its variables resolved."""
        return self.attempt.configuration

    def resolve(self) -> None:
        """Fill the variables into the configuration.

        Raises:
            ActionError: a variable is unknown.

        """
        known = {"codepipeline.PipelineExecutionId": self.run.id}
        known |= {f"variables.{name}": value for name, value in self.run.variables.items()}
        for done in self.run.known():
            space = done.action.get("namespace")
            if space and done.state == "Succeeded":
                known |= {f"{space}.{name}": value for name, value in done.variables.items()}
        for key, value in (self.action.get("configuration") or {}).items():
            missing = [name for name in VARIABLE.findall(str(value)) if name not in known]
            if missing:
                message = (
                    f"Action configuration {key} contains a variable reference that cannot be resolved: "
                    f"{', '.join(f'#{{{name}}}' for name in missing)}"
                )
                raise ActionError(message, code="ConfigurationError")
            self.attempt.configuration[key] = VARIABLE.sub(lambda match: known[match.group(1)], str(value))

    # Identity

    @property
    def region(self) -> str:
        """Return the region in which the action acts."""
        return str(self.action.get("region") or self.run.region)

    @property
    def account(self) -> str:
        """Return the account in which the action acts: that of its role."""
        return str(self.action.get("roleArn") or self.run.pipeline["roleArn"]).split(":")[4]

    def _pipeline_keys(self) -> Credentials:
        pipeline_role = self.run.pipeline["roleArn"]
        try:
            return credentials.service_role_credentials(pipeline_role, PRINCIPAL, source_arn=self.run.arn)
        except RuntimeError as error:
            message = f"CodePipeline is not authorized to perform AssumeRole on role {pipeline_role}: {error}"
            raise ActionError(message, code="PermissionError") from error

    def keys(self) -> Credentials:
        """Return the credentials of the action: its own role, which the pipeline's role assumes, or the pipeline's.

        Raises:
            ActionError: one of the roles cannot be assumed.

        """
        pipeline_role, keys = self.run.pipeline["roleArn"], self._pipeline_keys()
        role = self.action.get("roleArn")
        if not role or role == pipeline_role:
            return keys
        sts = credentials.client_for(keys, "sts", region=self.run.region)
        try:
            answer = sts.assume_role(RoleArn=role, RoleSessionName=self.run.id[:32])["Credentials"]
        except ClientError as error:
            message = f"The pipeline's role {pipeline_role} cannot assume the action's role {role}: {text(error)}"
            raise ActionError(message, code="PermissionError") from error
        return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])

    def client(self, service: str) -> Any:
        """Return a client under the action's role, in the action's region."""
        return credentials.client_for(self.keys(), service, region=self.region)

    # Artifacts

    @property
    def store(self) -> Mapping[str, Any]:
        """Return the artifact store of the action's region."""
        return store_of(self.run.pipeline, self.region)

    @property
    def key_id(self) -> str | None:
        """Return the key that encrypts artifacts, None where the bucket decides."""
        key = self.store.get("encryptionKey")
        return str(key["id"]) if key else None

    def inputs(self) -> list[dict[str, Any]]:
        """Return the input artifacts: name and place in the store of the action's region.

        Raises:
            ActionError: an artifact of another region cannot be copied to this one.

        """
        return [self._near(self.run.artifacts[one["name"]]) for one in self.action.get("inputArtifacts") or []]

    def _near(self, artifact: dict[str, Any]) -> dict[str, Any]:
        """Return an artifact in the store of the action's region, where the pipeline's role copies it if need be."""
        place, bucket = artifact["s3location"], str(self.store["location"])
        if place["bucket"] == bucket:
            return artifact
        with self.run.lock:
            known = self.run.copies.get((artifact["name"], bucket))
        if known is not None:
            return known
        source = {"Bucket": place["bucket"], "Key": place["key"]}
        try:
            s3 = credentials.client_for(self._pipeline_keys(), "s3", region=self.region)
            s3.copy_object(Bucket=bucket, Key=place["key"], CopySource=source, **self._encryption())
        except ClientError as error:
            message = (
                f"Unable to copy artifact {artifact['name']} from the Amazon S3 artifact bucket '{place['bucket']}' "
                f"to '{bucket}' in {self.region}: {text(error)}"
            )
            raise ActionError(message, code="PermissionError") from error
        copy = {**artifact, "s3location": {"bucket": bucket, "key": place["key"]}}
        with self.run.lock:
            self.run.copies[artifact["name"], bucket] = copy
        return copy

    def outputs(self) -> list[dict[str, Any]]:
        """Return the output artifacts and the places where they belong."""
        made = []
        for artifact in self.action.get("outputArtifacts") or []:
            key = f"{self.run.name[:20]}/{artifact['name'][:10]}/{uuid.uuid4().hex[:7]}"
            made.append({"name": artifact["name"], "s3location": {"bucket": self.store["location"], "key": key}})
        return made

    def put(self, artifact: Mapping[str, Any], body: bytes) -> None:
        """Write an output artifact."""
        place = artifact["s3location"]
        try:
            self.client("s3").put_object(Bucket=place["bucket"], Key=place["key"], Body=body, **self._encryption())
        except ClientError as error:
            message = (
                f"Unable to upload artifact {artifact['name']} to the Amazon S3 artifact bucket '{place['bucket']}' "
                f"as '{place['key']}': {text(error)}"
            )
            raise ActionError(message, code="PermissionError") from error

    def _encryption(self) -> dict[str, str]:
        return {"ServerSideEncryption": "aws:kms", **({"SSEKMSKeyId": self.key_id} if self.key_id else {})}

    def get(self, name: str) -> bytes:
        """Read an input artifact."""
        declared = {artifact["name"]: artifact["s3location"] for artifact in self.inputs()}
        if name not in declared:
            message = (
                f"artifact {name} is not among the input artifacts of the action ({', '.join(declared) or 'none'})"
            )
            raise ActionError(message, code="ConfigurationError")
        place = declared[name]
        try:
            return bytes(self.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read())
        except ClientError as error:
            message = (
                f"Insufficient permissions: Unable to access the artifact with Amazon S3 object key '{place['key']}' "
                f"located in the Amazon S3 artifact bucket '{place['bucket']}'. {text(error)}"
            )
            raise ActionError(message, code="PermissionError") from error

    def file(self, reference: str) -> str:
        """Read one file, `Artifact::path`, out of an input artifact."""
        name, _, path = reference.partition("::")
        with zipfile.ZipFile(io.BytesIO(self.get(name))) as archive:
            if path not in archive.namelist():
                message = f"File [{path}] does not exist in artifact [{name}]"
                raise ActionError(message, code="ConfigurationError")
            return archive.read(path).decode("utf-8")

    # Patience

    def wait(self, ready: threading.Event, seconds: float) -> bool:
        """Wait for `ready`, at most `seconds`; say whether it came.

        Raises:
            Abandoned: somebody stopped the execution without waiting.

        """
        deadline = time.monotonic() + seconds
        while not ready.wait(min(0.1, max(0.0, deadline - time.monotonic()))):
            if self.run.abandoning.is_set():
                raise Abandoned
            if time.monotonic() >= deadline:
                return False
        return True

    def poll(self, question: Callable[[], Any], *, seconds: float, most: float = 1.0) -> Any:
        """Ask until the answer is not None: at once, then at growing intervals; None when time is up."""
        deadline, pause = time.monotonic() + seconds, 0.05
        while (answer := question()) is None:
            if self.run.abandoning.is_set():
                raise Abandoned
            if time.monotonic() >= deadline:
                return None
            time.sleep(pause)
            pause = min(most, pause * 1.5)
        return answer

    def tell(self, **fields: Any) -> None:
        """Put facts on record while the action runs: external id and URL, summary, token."""
        with self.run.lock:
            for name, value in fields.items():
                setattr(self.attempt, name, value)
            self.attempt.updated = now()


def text(error: ClientError) -> str:
    """Return what an API said, with the error's name."""
    return f"{error.response['Error']['Message']} ({error.response['Error']['Code']})"


def json_setting(configuration: Mapping[str, str], key: str) -> Any:
    """Read a configuration value that holds JSON.

    Raises:
        ActionError: it does not.

    """
    try:
        return json.loads(configuration.get(key) or "null")
    except ValueError as error:
        message = f"{key} is not valid JSON: {error}"
        raise ActionError(message, code="ConfigurationError") from error
