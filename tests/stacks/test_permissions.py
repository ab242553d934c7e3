from __future__ import annotations

from typing import Any

import pytest

from tests.compliance.reading import Template, plain, resources, statements
from tests.stacks.conftest import BOUNDARY, CONNECTION, NETWORK

ARTIFACTS = "ImportValue:mlops-foundation:ExportsOutputFnGetAttArtifacts"


def allowed(templates: dict[str, Template], role: str) -> list[dict[str, Any]]:
    """The statements of the role at `role`, a construct path."""
    found = [
        statement.body
        for statement in statements(templates)
        if statement.kind == "identity" and statement.resource.path.startswith(f"{role}/")
    ]
    assert found, role
    return found


def objects(templates: dict[str, Template], role: str) -> dict[str, set[str]]:
    """The artifact keys that a role may use, by action."""
    found: dict[str, set[str]] = {}
    for statement in allowed(templates, role):
        for target in statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]:
            if ARTIFACTS in target and ">/" in target:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                for action in actions:
                    found.setdefault(action, set()).add(target.split(">/")[1])
    return found


def actions(templates: dict[str, Template], role: str) -> set[str]:
    return {
        action
        for statement in allowed(templates, role)
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def test_jobs_read_and_write_the_runs_of_their_model_only(templates: dict[str, Template]) -> None:
    role = "mlops-churn/Model/Training/ExecutionRole"
    assert objects(templates, role) == {"s3:GetObject": {"churn/runs/*"}, "s3:PutObject": {"churn/runs/*"}}


def test_jobs_list_the_runs_of_their_model_only(templates: dict[str, Template]) -> None:
    listings = [
        statement
        for statement in allowed(templates, "mlops-churn/Model/Training/ExecutionRole")
        if statement["Action"] == "s3:ListBucket"
    ]
    assert {"StringLike": {"s3:prefix": ["churn/runs/*"]}} in [one["Condition"] for one in listings]
    assert all(one["Condition"]["StringLike"]["s3:prefix"] for one in listings)


def test_an_endpoint_reads_models_and_writes_nothing(templates: dict[str, Template]) -> None:
    role = "mlops-churn/Model/ProdEndpointRole"
    assert objects(templates, role) == {"s3:GetObject": {"churn/runs/*/model.tar.gz"}}
    assert not {
        action for action in actions(templates, role) if action.startswith(("s3:Put", "s3:Delete", "sagemaker:"))
    }


def test_no_role_but_people_s_may_approve_a_model_package(templates: dict[str, Template]) -> None:
    updating = {
        statement.resource.path.split("/Policy")[0]
        for statement in statements(templates)
        if "sagemaker:UpdateModelPackage" in statement.actions
    }
    assert updating == {"mlops-churn/Model/PipelineFunctions/RecordApproval/ServiceRole"}


def test_the_deployment_role_makes_no_roles(templates: dict[str, Template]) -> None:
    given = actions(templates, "mlops-churn/Model/DeploymentRole")
    assert {action for action in given if action.startswith("iam:")} == {"iam:PassRole"}


def test_the_deployment_role_passes_the_roles_of_its_endpoints_only(templates: dict[str, Template]) -> None:
    passed = {
        target
        for statement in allowed(templates, "mlops-churn/Model/DeploymentRole")
        if statement["Action"] == "iam:PassRole"
        for target in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    }
    assert len(passed) == 3
    assert all("EndpointRole" in target for target in passed)


def test_only_the_pipeline_hands_out_the_deployment_role(templates: dict[str, Template]) -> None:
    passing = {
        statement.resource.path.split("/Policy")[0]
        for statement in statements(templates)
        if "iam:PassRole" in statement.actions and any("DeploymentRole" in target for target in statement.targets)
    }
    assert passing == {"mlops-churn/Model/Pipeline/ServiceRole"}


def test_the_build_cannot_deploy(templates: dict[str, Template]) -> None:
    services = {action.split(":")[0] for action in actions(templates, "mlops-churn/Model/Build/ServiceRole")}
    assert services == {"kms", "logs", "s3"}


def test_every_role_has_the_configured_boundary(configured: dict[str, Template]) -> None:
    roles = resources(configured, "AWS::IAM::Role")
    assert roles
    assert {str(plain(role.properties.get("PermissionsBoundary"))) for role in roles} == {BOUNDARY}


def test_no_role_has_a_boundary_that_is_not_configured(templates: dict[str, Template]) -> None:
    assert not [
        role.path for role in resources(templates, "AWS::IAM::Role") if "PermissionsBoundary" in role.properties
    ]


@pytest.mark.parametrize(
    "role",
    ["Training/ExecutionRole", "DevEndpointRole", "StagingEndpointRole", "ProdEndpointRole", "Build/ServiceRole"],
)
def test_who_runs_in_the_configured_network_may_make_its_interfaces(
    templates: dict[str, Template], configured: dict[str, Template], role: str
) -> None:
    wanted = {"ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DescribeSubnets"}
    assert wanted <= actions(configured, f"mlops-churn/Model/{role}")
    assert not wanted & actions(templates, f"mlops-churn/Model/{role}")


def test_models_and_builds_run_in_the_configured_network(configured: dict[str, Template]) -> None:
    models = resources(configured, "AWS::SageMaker::Model")
    assert len(models) == 5
    for model in models:
        assert model.properties["VpcConfig"] == {
            "Subnets": NETWORK["subnet_ids"],
            "SecurityGroupIds": NETWORK["security_group_ids"],
        }
    for project in resources(configured, "AWS::CodeBuild::Project"):
        assert project.properties["VpcConfig"]["VpcId"] == NETWORK["vpc_id"]


def test_a_connection_is_used_by_its_pipeline_only(configured: dict[str, Template]) -> None:
    using = {
        statement.resource.path.split("/Policy")[0]
        for statement in statements(configured)
        if CONNECTION in statement.targets
    }
    assert using == {"mlops-churn/Model/Pipeline/ServiceRole"}
