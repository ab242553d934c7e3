"""What a launch role can make: exactly its product, and what code in a sandbox can start."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import SCIENCE, World, reader, template_of_product
from tests.sandbox.policies import Reader

R = "eu-west-1"
NOTEBOOK = f"arn:aws:sagemaker:{R}:{SCIENCE}:notebook-instance/mlops-sandbox-alice"


@pytest.fixture(scope="session")
def key(people: Reader) -> str:
    (found,) = {
        statement["Condition"]["ArnEquals"]["sagemaker:VolumeKmsKey"]
        for policy in people.role("Sandbox/NotebookLaunch").identity
        for statement in policy.document["Statement"]
        if "sagemaker:VolumeKmsKey" in statement.get("Condition", {}).get("ArnEquals", {})
    }
    return str(found)


@pytest.fixture(scope="session")
def launched(people: Reader, key: str) -> dict[str, Any]:
    """What SageMaker puts into the context when the product as it is gets launched."""
    groups, subnets = _placed(people)
    return {
        "sagemaker:DirectInternetAccess": "Disabled",
        "sagemaker:RootAccess": "Disabled",
        "sagemaker:MinimumInstanceMetadataServiceVersion": "2",
        "sagemaker:InstanceTypes": ["ml.t3.medium"],
        "sagemaker:VolumeKmsKey": key,
        "sagemaker:VpcSecurityGroupIds": groups,
        "sagemaker:VpcSubnets": subnets[:1],
    }


def _placed(people: Reader) -> tuple[list[str], list[str]]:
    for policy in people.role("Sandbox/NotebookLaunch").identity:
        for statement in policy.document["Statement"]:
            every = statement.get("Condition", {}).get("ForAllValues:StringEquals", {})
            if "sagemaker:VpcSubnets" in every:
                return every["sagemaker:VpcSecurityGroupIds"], every["sagemaker:VpcSubnets"]
    raise AssertionError


def test_the_notebook_of_the_product_can_be_made(people: Reader, launched: dict[str, Any]) -> None:
    assert people.role("Sandbox/NotebookLaunch").can("sagemaker:CreateNotebookInstance", NOTEBOOK, **launched)


@pytest.mark.parametrize(
    ("key_name", "value"),
    [
        ("DirectInternetAccess", "Enabled"),
        ("RootAccess", "Enabled"),
        ("MinimumInstanceMetadataServiceVersion", "1"),
        ("InstanceTypes", ["ml.p3.2xlarge"]),
        ("VolumeKmsKey", f"arn:aws:kms:{R}:{SCIENCE}:key/another"),
        ("VpcSecurityGroupIds", ["sg-another"]),
        ("VpcSubnets", ["subnet-another"]),
        ("VpcSubnets", []),
    ],
)
def test_a_notebook_with_another_property_cannot_be_made(
    people: Reader, launched: dict[str, Any], key_name: str, value: Any
) -> None:
    role, changed = people.role("Sandbox/NotebookLaunch"), launched | {f"sagemaker:{key_name}": value}
    assert not role.can("sagemaker:CreateNotebookInstance", NOTEBOOK, **changed)


@pytest.mark.parametrize("missing", ["RootAccess", "VolumeKmsKey", "VpcSubnets", "InstanceTypes"])
def test_a_notebook_that_leaves_a_property_out_cannot_be_made(
    people: Reader, launched: dict[str, Any], missing: str
) -> None:
    rest = {name: value for name, value in launched.items() if name != f"sagemaker:{missing}"}
    assert not people.role("Sandbox/NotebookLaunch").can("sagemaker:CreateNotebookInstance", NOTEBOOK, **rest)


ROLES = ("Sandbox/NotebookLaunch", "Sandbox/StudioLaunch")
NEVER = [
    ("iam:CreateRole", f"arn:aws:iam::{SCIENCE}:role/mlops-new"),
    ("iam:PutRolePolicy", f"arn:aws:iam::{SCIENCE}:role/mlops-data-scientist"),
    ("iam:PassRole", f"arn:aws:iam::{SCIENCE}:role/mlops-data-scientist"),
    ("sagemaker:CreateTrainingJob", f"arn:aws:sagemaker:{R}:{SCIENCE}:training-job/sandbox-1"),
    ("sagemaker:CreateNotebookInstanceLifecycleConfig", "*"),
    ("sagemaker:CreatePresignedNotebookInstanceUrl", NOTEBOOK),
    ("sagemaker:CreateDomain", f"arn:aws:sagemaker:{R}:{SCIENCE}:domain/d-1"),
    ("cloudformation:CreateStack", f"arn:aws:cloudformation:{R}:{SCIENCE}:stack/mlops-sandbox/1"),
    ("s3:GetObject", f"arn:aws:s3:::mlops-candidates-{SCIENCE}-{R}/abalone/1/model.tar.gz"),
    ("ec2:RunInstances", "*"),
]


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize(("action", "resource"), NEVER, ids=[one[0] for one in NEVER])
def test_no_launch_role_makes_anything_else(people: Reader, name: str, action: str, resource: str) -> None:
    context = {"iam:PassedToService": "sagemaker.amazonaws.com"}
    assert not people.role(name).can(action, resource, **context)


def test_a_launch_role_passes_the_one_role_of_sandboxes(people: Reader) -> None:
    execution = people.role("Sandbox/Execution").arn
    given = {"iam:PassedToService": "sagemaker.amazonaws.com"}
    assert people.role("Sandbox/NotebookLaunch").can("iam:PassRole", execution, **given)
    assert not people.role("Sandbox/StudioLaunch").can("iam:PassRole", execution, **given)


def test_only_service_catalog_becomes_a_launch_role(people: Reader) -> None:
    for name in ROLES:
        (statement,) = people.role(name).trust["Statement"]
        assert statement["Principal"] == {"Service": "servicecatalog.amazonaws.com"}
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": SCIENCE}}


def test_the_studio_launch_role_makes_private_spaces_of_the_one_domain(people: Reader) -> None:
    role = people.role("Sandbox/StudioLaunch")
    (domain,) = {
        resource.rsplit("/", 2)[1]
        for policy in role.identity
        for statement in policy.document["Statement"]
        if "sagemaker:CreateSpace" in statement["Action"]
        for resource in [statement["Resource"]]
    }
    space = f"arn:aws:sagemaker:{R}:{SCIENCE}:space/{domain}/alice"
    good: dict[str, Any] = {"sagemaker:SpaceSharingType": "Private", "sagemaker:InstanceTypes": ["ml.t3.medium"]}
    assert role.can("sagemaker:CreateSpace", space, **good)
    assert not role.can("sagemaker:CreateSpace", space.replace(domain, "d-other"), **good)
    assert not role.can("sagemaker:CreateSpace", space, **good | {"sagemaker:SpaceSharingType": "Shared"})
    assert not role.can("sagemaker:CreateSpace", space, **good | {"sagemaker:InstanceTypes": ["ml.g5.48xlarge"]})


def test_every_resource_of_a_product_is_one_that_its_launch_role_makes(world: World) -> None:
    made = {
        "Sandbox/NotebookLaunch": ("Notebook", {"AWS::SageMaker::NotebookInstance": "NotebookInstance"}),
        "Sandbox/StudioLaunch": (
            "Studio",
            {"AWS::SageMaker::UserProfile": "UserProfile", "AWS::SageMaker::Space": "Space"},
        ),
    }
    for name, (product, actions) in made.items():
        types = {one["Type"] for one in template_of_product(world, product)["Resources"].values()}
        assert types == set(actions)
        allowed = {
            action
            for policy in reader(world).role(name).identity
            for statement in policy.document["Statement"]
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        }
        for kind in actions.values():
            assert {f"sagemaker:{verb}{kind}" for verb in ("Create", "Delete", "Describe", "Update")} - allowed <= {
                "sagemaker:UpdateUserProfile"
            }


@pytest.fixture(scope="session")
def job(people: Reader, key: str) -> dict[str, Any]:
    """What is in the context of a training job that follows the rules."""
    _, subnets = _placed(people)
    return {
        "sagemaker:InstanceTypes": ["ml.m5.large"],
        "sagemaker:NetworkIsolation": "true",
        "sagemaker:OutputKmsKey": key,
        "sagemaker:VolumeKmsKey": key,
        "sagemaker:VpcSubnets": subnets,
    }


def arn(resource: str, name: str) -> str:
    return f"arn:aws:sagemaker:{R}:{SCIENCE}:{resource}/{name}"


def test_code_in_a_sandbox_starts_small_encrypted_jobs_in_the_network(people: Reader, job: dict[str, Any]) -> None:
    role = people.role("Sandbox/Execution")
    for kind in ("Training", "Processing", "Transform"):
        assert role.can(f"sagemaker:Create{kind}Job", arn(f"{kind.lower()}-job", "sandbox-abalone-1"), **job)
    assert role.can("sagemaker:CreateModel", arn("model", "sandbox-abalone-1"), **job)
    assert role.can("sagemaker:CreateEndpointConfig", arn("endpoint-config", "sandbox-abalone-1"), **job)


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("InstanceTypes", ["ml.p4d.24xlarge"]),
        ("NetworkIsolation", "false"),
        ("OutputKmsKey", f"arn:aws:kms:{R}:{SCIENCE}:key/another"),
        ("VolumeKmsKey", f"arn:aws:kms:{R}:{SCIENCE}:key/another"),
        ("VpcSubnets", ["subnet-another"]),
        ("VpcSubnets", []),
    ],
)
def test_code_in_a_sandbox_starts_no_other_job(people: Reader, job: dict[str, Any], changed: str, value: Any) -> None:
    context = job | {f"sagemaker:{changed}": value}
    assert not people.role("Sandbox/Execution").can(
        "sagemaker:CreateTrainingJob", arn("training-job", "sandbox-1"), **context
    )


def test_names_of_pipelines_are_out_of_reach_of_a_sandbox(people: Reader, job: dict[str, Any]) -> None:
    role = people.role("Sandbox/Execution")
    assert not role.can("sagemaker:CreateTrainingJob", arn("training-job", "mlops-churn-1"), **job)
    assert not role.can("sagemaker:DeleteEndpoint", arn("endpoint", "mlops-churn-prod"))
    assert not role.can("sagemaker:InvokeEndpoint", arn("endpoint", "mlops-churn-prod"))


def test_an_app_is_started_by_the_owner_of_its_space_only(people: Reader) -> None:
    role, app = people.role("Sandbox/Execution"), arn("app", "d-1/alice/jupyterlab/default")
    own: dict[str, Any] = {
        "sagemaker:DomainId": "d-1",
        "sagemaker:UserProfileName": "alice",
        "sagemaker:OwnerUserProfileArn": arn("user-profile", "d-1/alice"),
        "sagemaker:SpaceSharingType": "Private",
        "sagemaker:InstanceTypes": ["ml.t3.medium"],
    }
    assert role.can("sagemaker:CreateApp", app, **own)
    assert not role.can("sagemaker:CreateApp", app, **own | {"sagemaker:UserProfileName": "bob"})
    assert not role.can("sagemaker:CreateApp", app, **own | {"sagemaker:InstanceTypes": ["ml.g5.12xlarge"]})
    assert not role.can("sagemaker:CreateApp", app, **own | {"sagemaker:SpaceSharingType": "Shared"})


def test_code_in_a_sandbox_hands_nothing_over(people: Reader) -> None:
    candidate = arn("model-package", "mlops-abalone-candidates/1")
    for name, allowed in (("mlops-data-scientist", True), ("Sandbox/Execution", False)):
        assert people.role(name).can("sagemaker:UpdateModelPackage", candidate) is allowed


def test_a_job_starts_nothing_and_hands_nothing_over(people: Reader, job: dict[str, Any]) -> None:
    role = people.role("Sandbox/Jobs")
    assert role.can("s3:GetObject", f"arn:aws:s3:::mlops-sandbox-{SCIENCE}-{R}/abalone/train.csv")
    assert not role.can("sagemaker:CreateTrainingJob", arn("training-job", "sandbox-1"), **job)
    assert not role.can("sagemaker:CreateModelPackage", arn("model-package", "mlops-abalone-candidates/1"))
    assert not role.can("iam:PassRole", role.arn, **{"iam:PassedToService": "sagemaker.amazonaws.com"})


def test_code_in_a_sandbox_passes_the_role_of_jobs_only(people: Reader) -> None:
    role, given = people.role("Sandbox/Execution"), {"iam:PassedToService": "sagemaker.amazonaws.com"}
    assert role.can("iam:PassRole", people.role("Sandbox/Jobs").arn, **given)
    assert not role.can("iam:PassRole", role.arn, **given)
    assert not role.can("iam:PassRole", people.role("mlops-data-scientist").arn, **given)
