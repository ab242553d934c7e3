"""The boundary and the personas in the emulated AWS, which enforces their policies; the products by its API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import assembly, credentials
from mlops.rehearsal.server import EmulatedAws
from tests.compliance.reading import plain
from tests.sandbox.conftest import ORGANIZATION, PROD, REGION, TOOLS, World, template_of_product

STACKS = ("mlops-boundary", "mlops-foundation", "mlops-personas")
SIGNED_IN = "grace@example.com"


@pytest.fixture(scope="module")
def deployed(together: World) -> Iterator[World]:
    with EmulatedAws(account=TOOLS, region=REGION, accounts=[PROD], organization=ORGANIZATION):
        assembly.deploy(together.assembly, STACKS)
        iam = credentials.client("iam")
        trust = {"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
                               "Action": "sts:AssumeRole"}}  # fmt: skip
        allow = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}
        for name in ("lead-of-risk", "somebody"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
            iam.put_role_policy(RoleName=name, PolicyName="become", PolicyDocument=json.dumps(allow))
        yield together


def become(persona: str, *, signed_in: str = "lead-of-risk", session: str = SIGNED_IN) -> Any:
    """Assume a persona as a person who signed in with the identity provider."""
    person = credentials.client(
        "sts",
        role_arn=f"arn:aws:iam::{TOOLS}:role/{signed_in}",
        principal="ec2.amazonaws.com",
        session_name=SIGNED_IN,
    )
    answer = person.assume_role(RoleArn=f"arn:aws:iam::{TOOLS}:role/mlops-{persona}", RoleSessionName=session)
    keys = answer["Credentials"]
    return credentials.Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def refused(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
    return False


@pytest.mark.usefixtures("deployed")
def test_a_person_becomes_an_approver_under_the_own_name_only() -> None:
    who = credentials.client_for(become("approver"), "sts", region=REGION).get_caller_identity()["Arn"]
    assert who == f"arn:aws:sts::{TOOLS}:assumed-role/mlops-approver/{SIGNED_IN}"
    assert refused(become, persona="approver", session="alice@example.com")
    assert refused(become, persona="approver", signed_in="somebody")
    assert refused(become, persona="auditor")


@pytest.mark.usefixtures("deployed")
def test_an_approver_reads_and_changes_nothing() -> None:
    keys = become("approver")
    s3, iam, sagemaker = (credentials.client_for(keys, name, region=REGION) for name in ("s3", "iam", "sagemaker"))
    report = f"mlops-artifacts-{TOOLS}-{REGION}"
    credentials.client("s3").put_object(Bucket=report, Key="churn/runs/1/evaluation.json", Body=b"{}")
    assert s3.get_object(Bucket=report, Key="churn/runs/1/evaluation.json")["Body"].read() == b"{}"
    assert refused(s3.put_object, Bucket=report, Key="churn/runs/1/evaluation.json", Body=b"{}")
    assert refused(sagemaker.create_model_package_group, ModelPackageGroupName="mlops-new")
    assert refused(iam.create_role, RoleName="mlops-new", AssumeRolePolicyDocument="{}")
    assert refused(iam.delete_role_permissions_boundary, RoleName="mlops-approver")


@pytest.mark.usefixtures("deployed")
def test_the_boundary_holds_when_somebody_widens_a_role() -> None:
    """An administrator attaches everything to the approver by mistake; the boundary stays where it is."""
    operator = credentials.client("iam")
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    operator.put_role_policy(RoleName="mlops-approver", PolicyName="mistake", PolicyDocument=json.dumps(everything))
    try:
        keys = become("approver")
        s3, iam = (credentials.client_for(keys, name, region=REGION) for name in ("s3", "iam"))
        bucket = f"mlops-artifacts-{TOOLS}-{REGION}"
        s3.put_object(Bucket=bucket, Key="churn/runs/2/evaluation.json", Body=b"{}")  # what a role of the project may
        assert refused(s3.delete_bucket_policy, Bucket=bucket)
        assert refused(iam.create_role, RoleName="mlops-new", AssumeRolePolicyDocument="{}")
        assert refused(iam.delete_role_permissions_boundary, RoleName="mlops-approver")
    finally:
        operator.delete_role_policy(RoleName="mlops-approver", PolicyName="mistake")


@pytest.mark.usefixtures("deployed")
def test_sagemaker_takes_the_notebook_of_the_product(together: World) -> None:
    """The emulated CloudFormation does not make this type, so its properties go to the API."""
    template = template_of_product(together, "Notebook")
    (notebook,) = (one["Properties"] for one in template["Resources"].values())
    values: dict[str, Any] = {
        **{name: plain(value) for name, value in notebook.items()},
        "InstanceType": "ml.t3.medium",
        "NotebookInstanceName": "mlops-sandbox-alice",
        "RoleArn": f"arn:aws:iam::{TOOLS}:role/somebody",
        "SecurityGroupIds": ["sg-0123456789abcdef0"],
        "VolumeSizeInGB": 5,
        "Tags": [{"Key": "owner", "Value": SIGNED_IN}],
        "LifecycleConfigName": "mlops-sandbox-idle-stop",
        "KmsKeyId": f"arn:aws:kms:{REGION}:{TOOLS}:key/00000000-0000-0000-0000-000000000000",
        "SubnetId": "subnet-0123456789abcdef0",
    }
    sagemaker = credentials.client("sagemaker")
    script = {"Content": "IyEvYmluL2Jhc2gK"}
    sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=values["LifecycleConfigName"], OnStart=[script]
    )
    sagemaker.create_notebook_instance(**values)
    made = sagemaker.describe_notebook_instance(NotebookInstanceName="mlops-sandbox-alice")
    assert made["RootAccess"] == made["DirectInternetAccess"] == "Disabled"
    assert made["KmsKeyId"]
