"""A sandbox in the emulated AWS: a bucket, a key, and the role that the project makes for notebooks and their jobs."""

from __future__ import annotations

import contextlib
import functools
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms

from mlops.rehearsal import credentials, iam
from mlops.rehearsal.faults import FAULTS
from mlops.rehearsal.server import EmulatedAws
from mlops_constructs.accounts import Accounts
from mlops_constructs.network import Placement
from mlops_constructs.sandbox_roles import SandboxExecutionRole, SandboxJobRole
from mlops_constructs.settings import load_settings
from mlops_constructs.settings.sandbox import Sandbox as SandboxSettings
from tests.notebooks.executed_notebook import ROOT, Executed, execute

ACCOUNT, REGION, BUCKET = "111122223333", "eu-west-1", "sandbox-of-the-data-scientists"
SUBNETS, SECURITY_GROUPS = ("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"), ("sg-0123456789abcdef0",)
_STACK = "sandbox"


@dataclass
class Sandbox:
    """What a data scientist finds in a sandbox."""

    key: str
    role: str
    """What the notebook may do."""
    jobs: str
    """What its jobs and its endpoint may do."""
    folder: Path

    def environment(self) -> dict[str, str]:
        """What a program finds that is started there: the credentials of the sandbox, and the names of what it has."""
        names = {
            "SANDBOX_BUCKET": BUCKET,
            "SANDBOX_KEY_ARN": self.key,
            "SANDBOX_ROLE_ARN": self.jobs,
            "SANDBOX_SUBNETS": ",".join(SUBNETS),
            "SANDBOX_SECURITY_GROUPS": ",".join(SECURITY_GROUPS),
        }
        return credentials.environment_for(self.role, principal="sagemaker.amazonaws.com") | names

    def execute(self, changes: Mapping[str, str] | None = None) -> Executed:
        """Execute the notebook as the data scientist, who may have changed it."""
        return execute(self.folder, self.environment(), changes=changes)

    def left_over(self) -> list[str]:
        """The names of models, configurations and endpoints that are still there."""
        sagemaker = credentials.client("sagemaker")
        return [
            *(each["ModelName"] for each in sagemaker.list_models()["Models"]),
            *(each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]),
            *(each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]),
        ]

    def used(self) -> set[str]:
        return {decision.action for decision in iam.trace() if decision.role_arn == self.role and decision.allowed}

    def denied(self) -> list[str]:
        return [decision.message for decision in iam.trace() if not decision.allowed]


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Sandbox]:
    """An account with a sandbox; `folder` is the home of the data scientist."""
    with EmulatedAws(account=ACCOUNT, region=REGION):
        key = credentials.client("kms").create_key()["KeyMetadata"]["Arn"]
        location = {"LocationConstraint": REGION}
        credentials.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        try:
            roles = _deployed_roles(key)
            yield Sandbox(key=key, role=roles["Role"], jobs=roles["JobRole"], folder=folder)
        finally:
            FAULTS.activate(None)


def _deployed_roles(key: str) -> dict[str, str]:
    """Make the roles of the sandboxes; return their ARNs."""
    cloudformation = credentials.client("cloudformation")
    template = json.dumps(_template()).replace(_KEY, key)
    cloudformation.create_stack(StackName=_STACK, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (stack,) = cloudformation.describe_stacks(StackName=_STACK)["Stacks"]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {output["OutputKey"]: str(output["OutputValue"]) for output in stack["Outputs"]}
        time.sleep(0.1)
    msg = f"the role of the sandboxes was not made: {stack['StackStatus']}"
    raise AssertionError(msg)


_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
"""Stands in the template for the key that each emulated AWS makes anew."""


@functools.cache
def _template() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        app = cdk.App(outdir=folder, analytics_reporting=False)
        _define_role(app)
        return dict(app.synth().get_stack_by_name(_STACK).template)


def _define_role(app: cdk.App) -> None:
    synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    stack = cdk.Stack(app, _STACK, env=cdk.Environment(account=ACCOUNT, region=REGION), synthesizer=synthesizer)
    key = kms.Key.from_key_arn(stack, "Key", _KEY)
    placement = Placement(
        vpc_id="vpc-0123456789abcdef0",
        subnet_ids=SUBNETS,
        job_groups=SECURITY_GROUPS,
        function_groups=SECURITY_GROUPS,
        leads_out=False,
        identity={},
    )
    files: dict[str, Any] = {"bucket_arn": f"arn:aws:s3:::{BUCKET}", "key": key}
    jobs = SandboxJobRole(stack, "Jobs", placement=placement, **files)
    role = SandboxExecutionRole(
        stack,
        "Execution",
        accounts=Accounts(load_settings(ROOT / "config").environments),
        sandbox=SandboxSettings(cost_centers={"4711": 100}, notify=("team@example.com",)),
        placement=placement,
        job_role=jobs,
        **files,
    )
    cdk.CfnOutput(stack, "JobRole", value=jobs.arn)
    cdk.CfnOutput(stack, "Role", value=role.arn)
