"""What changes when an account gets a network, and what must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.compliance.reading import Template, as_list, plain, resources, state_machines
from tests.compliance.test_resources import STATEFUL
from tests.conftest import read_templates
from tests.network.conftest import ACCOUNTS, EXISTING, apart

MOVED = {
    "AWS::CodeBuild::Project",
    "AWS::IAM::ManagedPolicy",
    "AWS::Lambda::Function",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
    "AWS::StepFunctions::StateMachine",
}
"""What runs in a network, or may run there. Endpoints get another configuration, and stay."""
IMMUTABLE = {"AWS::SageMaker::EndpointConfig", "AWS::SageMaker::Model"}
"""Named by what they hold: a new one takes the place of the old one."""
SUBNETS = ["<ImportValue:mlops-network:Subnet1>", "<ImportValue:mlops-network:Subnet2>"]
JOBS = {"Subnets": SUBNETS, "SecurityGroupIds": ["<ImportValue:mlops-network:JobSecurityGroup>"]}
FUNCTIONS = {"SubnetIds": SUBNETS, "SecurityGroupIds": ["<ImportValue:mlops-network:FunctionSecurityGroup>"]}


@pytest.fixture(scope="module", params=["existing_templates", "private_templates"])
def moved(request: pytest.FixtureRequest) -> dict[str, Template]:
    templates: dict[str, Template] = request.getfixturevalue(request.param)
    return {name: template for name, template in templates.items() if name != "mlops-network"}


def test_moving_into_a_network_or_out_of_it_replaces_nothing_that_keeps_state(
    open_templates: dict[str, Template], moved: dict[str, Template]
) -> None:
    assert moved.keys() == open_templates.keys()
    kept = 0
    for name, template in moved.items():
        before, after = open_templates[name]["Resources"], template["Resources"]
        assert before.keys() == after.keys(), name
        for logical_id, resource in after.items():
            assert resource["Type"] == before[logical_id]["Type"]
            if resource["Type"] in {*STATEFUL, "AWS::CodePipeline::Pipeline", "AWS::IAM::Role"}:
                assert resource == before[logical_id], f"{name}/{logical_id}"
                kept += 1
    assert kept > 50


def test_moving_changes_only_what_runs_there(open_templates: dict[str, Template], moved: dict[str, Template]) -> None:
    changed = {
        resource["Type"]
        for name, template in moved.items()
        for logical_id, resource in template["Resources"].items()
        if resource.get("Properties") != open_templates[name]["Resources"][logical_id].get("Properties")
    }
    # The alarms name the configuration whose instances they watch, and that has another name in a network.
    assert changed <= MOVED | {"AWS::CloudWatch::Alarm"}
    assert changed >= MOVED - {"AWS::CodeBuild::Project"}


def test_names_change_only_of_what_is_immutable(
    open_templates: dict[str, Template], moved: dict[str, Template]
) -> None:
    def names(template: Template, logical_id: str) -> dict[str, Any]:
        properties = template["Resources"][logical_id].get("Properties", {})
        return {key: value for key, value in properties.items() if key.endswith("Name")}

    for name, template in moved.items():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] in IMMUTABLE:
                assert names(template, logical_id) != names(open_templates[name], logical_id)
            else:
                assert names(template, logical_id) == names(open_templates[name], logical_id)


def test_a_route_beside_a_network_is_not_touched(open_templates: dict[str, Template]) -> None:
    assert "vpcconfig" not in json.dumps(open_templates).lower()
    assert "mlops-network" not in open_templates


def test_every_function_runs_in_the_network(private_templates: dict[str, Template]) -> None:
    functions = resources(private_templates, "AWS::Lambda::Function")
    assert len(functions) > 12
    assert {json.dumps(plain(one.properties["VpcConfig"]), sort_keys=True) for one in functions} == {
        json.dumps(FUNCTIONS, sort_keys=True)
    }


def test_every_job_runs_in_the_network(private_templates: dict[str, Template]) -> None:
    found = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            found.extend([value["VpcConfig"]] if "VpcConfig" in value else [])
            value = list(value.values())
        for one in value if isinstance(value, list) else []:
            collect(one)

    for machine, definition in state_machines(private_templates):
        if "Prepare" in definition["States"]:
            before = len(found)
            collect(definition)
            # Prepare, Train, both evaluations, and the model that is scored.
            assert len(found) - before == 5, machine.path
    assert found
    assert all(one == JOBS for one in found)


def test_every_endpoint_runs_in_the_network(private_templates: dict[str, Template]) -> None:
    models = resources(private_templates, "AWS::SageMaker::Model")
    assert models
    for model in models:
        assert plain(model.properties["VpcConfig"]) == JOBS
        assert model.properties["EnableNetworkIsolation"] is True


def test_builds_stay_where_packages_are(
    private_templates: dict[str, Template], existing_templates: dict[str, Template]
) -> None:
    """A network without internet has no registry; one that exists is its owner's to connect."""
    assert not [
        one.path for one in resources(private_templates, "AWS::CodeBuild::Project") if "VpcConfig" in one.properties
    ]
    projects = resources(existing_templates, "AWS::CodeBuild::Project")
    assert projects
    for project in projects:
        assert project.properties["VpcConfig"] == {
            "VpcId": EXISTING["vpc_id"],
            "Subnets": EXISTING["subnet_ids"],
            "SecurityGroupIds": EXISTING["security_group_ids"],
        }


def interface_statements(templates: dict[str, Template]) -> dict[str, list[dict[str, Any]]]:
    """The statements about EC2, by the policy that has them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for policy in resources(templates, "AWS::IAM::ManagedPolicy"):
        statements = [one for one in plain(policy.properties["PolicyDocument"])["Statement"] if "ec2:" in str(one)]
        if statements and policy.stack not in ("mlops-network", "mlops-boundary"):
            found[policy.path] = statements
    return found


def test_who_may_make_interfaces_names_subnets_and_groups(private_templates: dict[str, Template]) -> None:
    found = interface_statements(private_templates)
    assert len(found) > 15
    for path, statements in found.items():
        (create,) = [one for one in statements if one["Action"] == "ec2:CreateNetworkInterface"]
        kinds = sorted(target.split(":")[5].split("/")[0] for target in create["Resource"])
        assert kinds == ["network-interface", "security-group", "subnet", "subnet"], path
        everywhere = [action for one in statements if one["Resource"] == "*" for action in as_list(one["Action"])]
        about_ec2 = {action for action in everywhere if action.startswith("ec2:")}
        described = {action for action in about_ec2 if action.startswith("ec2:Describe")}
        assert described, path
        assert about_ec2 - described <= {"ec2:DeleteNetworkInterfacePermission"}, path


def test_the_code_of_a_function_cannot_make_interfaces(private_templates: dict[str, Template]) -> None:
    """Lambda itself calls without lambda:SourceFunctionArn, code calls with it."""
    functions = {
        path: one for path, one in interface_statements(private_templates).items() if "EndpointRole" not in path
    }
    found = {path: statements for path, statements in functions.items() if "Assign" in str(statements)}
    assert len(found) > 12
    for statements in found.values():
        assert all(one["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}} for one in statements)


def test_stacks_wait_for_the_network_that_they_run_in(private_assembly: Path) -> None:
    artifacts = json.loads((private_assembly / "manifest.json").read_text())["artifacts"]
    importing = [
        path.name.removesuffix(".template.json")
        for path in private_assembly.glob("*.template.json")
        if '"mlops-network:' in path.read_text() and path.name != "mlops-network.template.json"
    ]
    assert "mlops-churn" in importing
    assert "mlops-churn-prod" in importing
    assert [name for name in importing if "mlops-network" not in artifacts[name]["dependencies"]] == []


def test_everything_runs_in_the_network_of_its_own_account(
    synthesize: Callable[[dict[str, Any]], Path],
) -> None:
    assembly = synthesize(apart())
    templates = read_templates(assembly)
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    networks = {name: one for name, one in artifacts.items() if name.startswith("mlops-network") and "." not in name}
    assert networks.keys() == {
        "mlops-network",
        *(f"mlops-network-{ACCOUNTS[name]}-eu-west-1" for name in ("data_science", "prod")),
    }
    assert {one["properties"].get("stackName", name) for name, one in networks.items()} == {"mlops-network"}
    prod, candidate = resources({"": templates["mlops-churn-prod"]}, "AWS::SageMaker::Model")
    (staging,) = resources({"": templates["mlops-churn-staging"]}, "AWS::SageMaker::Model")
    assert plain(prod.properties["VpcConfig"]) == plain(candidate.properties["VpcConfig"]) == JOBS
    assert "VpcConfig" not in staging.properties
    assert f"mlops-network-{ACCOUNTS['prod']}-eu-west-1" in artifacts["mlops-churn-prod"]["dependencies"]
