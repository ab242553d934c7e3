from __future__ import annotations

from typing import Any

import pytest

from tests.compliance.reading import Resource, Template, plain, resources, stacks_with, statements
from tests.stacks.conftest import BOUNDARY, CONNECTION, MODELS, NETWORK

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


@pytest.mark.parametrize("model", MODELS)
def test_jobs_read_and_write_the_runs_of_their_model_only(templates: dict[str, Template], model: str) -> None:
    role = f"mlops-{model}/Model/Training/ExecutionRole"
    assert objects(templates, role) == {"s3:GetObject": {f"{model}/runs/*"}, "s3:PutObject": {f"{model}/runs/*"}}


@pytest.mark.parametrize("model", MODELS)
def test_jobs_list_the_runs_of_their_model_only(templates: dict[str, Template], model: str) -> None:
    listings = [
        statement
        for statement in allowed(templates, f"mlops-{model}/Model/Training/ExecutionRole")
        if statement["Action"] == "s3:ListBucket"
    ]
    assert {"StringLike": {"s3:prefix": [f"{model}/runs/*"]}} in [one["Condition"] for one in listings]
    assert all(one["Condition"]["StringLike"]["s3:prefix"] for one in listings)


def endpoint_roles(templates: dict[str, Template], model: str) -> list[Resource]:
    found = [
        one for one in resources({model: templates[f"mlops-{model}"]}, "AWS::IAM::Role") if "EndpointRole/" in one.path
    ]
    assert len(found) >= 2
    return found


@pytest.mark.parametrize("model", MODELS)
def test_an_endpoint_reads_models_and_writes_nothing(templates: dict[str, Template], model: str) -> None:
    for role in endpoint_roles(templates, model):
        path = role.path.removesuffix("/Role/Resource")
        assert objects(templates, path) == {"s3:GetObject": {f"{model}/runs/*/model.tar.gz"}}
        assert not {
            action for action in actions(templates, path) if action.startswith(("s3:Put", "s3:Delete", "sagemaker:"))
        }


def test_no_role_but_people_s_may_approve_a_model_package(templates: dict[str, Template]) -> None:
    updating = {
        statement.resource.path.split("/Policy")[0]
        for statement in statements(templates)
        if "sagemaker:UpdateModelPackage" in statement.actions
    }
    assert updating == {
        f"{stack}/Model/PipelineFunctions/RecordApproval/ServiceRole"
        for stack in stacks_with(templates, "AWS::CodePipeline::Pipeline")
    }


@pytest.mark.parametrize("model", MODELS)
def test_the_deployment_role_makes_no_roles(templates: dict[str, Template], model: str) -> None:
    given = actions(templates, f"mlops-{model}/Model/DeploymentRole")
    assert {action for action in given if action.startswith("iam:")} == {"iam:PassRole"}


@pytest.mark.parametrize("model", MODELS)
def test_the_deployment_role_passes_the_roles_of_its_endpoints_only(templates: dict[str, Template], model: str) -> None:
    passed = {
        target
        for statement in allowed(templates, f"mlops-{model}/Model/DeploymentRole")
        if statement["Action"] == "iam:PassRole"
        for target in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    }
    assert passed == {f"<{role.logical_id}.Arn>" for role in endpoint_roles(templates, model)}


@pytest.mark.parametrize("model", MODELS)
def test_only_the_route_hands_out_the_deployment_role(templates: dict[str, Template], model: str) -> None:
    stack = f"mlops-{model}"
    passing = {
        statement.resource.path.split("/Policy")[0]
        for statement in statements({stack: templates[stack]})
        if "iam:PassRole" in statement.actions and any("DeploymentRole" in target for target in statement.targets)
    }
    piped = stack in stacks_with(templates, "AWS::CodePipeline::Pipeline")
    route = "Pipeline/ServiceRole" if piped else "Release/Workflow/ServiceRole"
    assert passing == {f"{stack}/Model/{route}"}


def test_no_other_stack_uses_the_deployment_role_of_a_model(templates: dict[str, Template]) -> None:
    exported = [
        output
        for model in MODELS
        for output in templates[f"mlops-{model}"].get("Outputs", {})
        if "DeploymentRole" in output
    ]
    assert exported == []


def test_the_build_cannot_deploy(templates: dict[str, Template]) -> None:
    for stack in stacks_with(templates, "AWS::CodePipeline::Pipeline"):
        services = {action.split(":")[0] for action in actions(templates, f"{stack}/Model/Build/ServiceRole")}
        assert services == {"kms", "logs", "s3"}


def test_the_build_of_an_image_cannot_deploy_either(templates: dict[str, Template]) -> None:
    for stack in stacks_with(templates, "AWS::ECR::Repository"):
        services = {action.split(":")[0] for action in actions(templates, f"{stack}/Model/ImageBuild/ServiceRole")}
        assert services == {"ecr", "kms", "logs", "s3"}


def test_every_role_has_the_configured_boundary(configured: dict[str, Template]) -> None:
    roles = resources(configured, "AWS::IAM::Role")
    assert roles
    assert {str(plain(role.properties.get("PermissionsBoundary"))) for role in roles} == {BOUNDARY}


def test_every_role_has_the_boundary_of_the_project_where_none_is_configured(templates: dict[str, Template]) -> None:
    for role in resources(templates, "AWS::IAM::Role"):
        boundary = str(plain(role.properties.get("PermissionsBoundary")))
        assert boundary.endswith(":policy/mlops-boundary"), role.path
    (policy,) = resources({"": templates["mlops-boundary"]}, "AWS::IAM::ManagedPolicy")
    assert policy.properties["ManagedPolicyName"] == "mlops-boundary"


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
    versions = [name for one in configured.values() for name in one.get("Parameters", {}) if "PackageArn" in name]
    assert len(models) == len(versions)
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
