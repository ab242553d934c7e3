"""The stacks of the sandboxes and the templates of the products."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import pytest

from tests.compliance.reading import Template, plain, resources
from tests.sandbox.conftest import NETWORK, SANDBOX, SCIENCE, World, synthesize, template_of_product


def one(template: Template, kind: str) -> dict[str, Any]:
    (found,) = resources({"stack": template}, kind)
    return found.properties


def test_a_notebook_has_no_internet_no_root_and_stops_when_idle(world: World) -> None:
    notebook = one(template_of_product(world, "Notebook"), "AWS::SageMaker::NotebookInstance")
    assert notebook["DirectInternetAccess"] == "Disabled"
    assert notebook["RootAccess"] == "Disabled"
    assert notebook["InstanceMetadataServiceConfiguration"] == {"MinimumInstanceMetadataServiceVersion": "2"}
    assert notebook["PlatformIdentifier"].startswith("notebook-al2023-")
    for name in ("KmsKeyId", "LifecycleConfigName", "RoleArn", "SubnetId"):
        assert notebook[name], name
    assert {"Key": "owner", "Value": {"Ref": "Owner"}} in notebook["Tags"]


def test_a_product_offers_allowed_types_and_sizes_only(world: World) -> None:
    for product in ("Notebook", "Studio"):
        parameters = template_of_product(world, product)["Parameters"]
        assert parameters["InstanceType"]["AllowedValues"] == ["ml.t3.medium", "ml.t3.xlarge"]
        assert parameters["VolumeGib"]["MaxValue"] == 50
        assert "Default" not in parameters["Owner"]


def test_a_space_is_private_and_belongs_to_its_profile(world: World) -> None:
    template = template_of_product(world, "Studio")
    space = one(template, "AWS::SageMaker::Space")
    assert space["SpaceSharingSettings"] == {"SharingType": "Private"}
    owner = space["OwnershipSettings"]["OwnerUserProfileName"]["Ref"]
    assert template["Resources"][owner]["Type"] == "AWS::SageMaker::UserProfile"


def test_what_a_product_imports_is_exported_in_the_account_of_the_data_scientists(world: World) -> None:
    exported = {
        plain(output["Export"]["Name"])
        for stack in ("mlops-sandbox", *[name for name in world.templates if name.startswith("mlops-network")])
        for output in world.templates[stack]["Outputs"].values()
        if "Export" in output
    }
    for product in ("Notebook", "Studio"):
        assert imported(template_of_product(world, product)) <= exported


def imported(value: Any) -> set[str]:
    if isinstance(value, list):
        return {name for part in value for name in imported(part)}
    if not isinstance(value, dict):
        return set()
    if "Fn::ImportValue" in value:
        return {str(plain(value["Fn::ImportValue"]))}
    return {name for part in value.values() for name in imported(part)}


def test_the_domain_is_in_the_network_only_encrypted_and_stops_idle_apps(world: World) -> None:
    domain = one(world.templates["mlops-sandbox"], "AWS::SageMaker::Domain")
    assert domain["AppNetworkAccessType"] == "VpcOnly"
    assert domain["KmsKeyId"]
    user = domain["DefaultUserSettings"]
    idle = user["JupyterLabAppSettings"]["AppLifecycleManagement"]["IdleSettings"]
    assert idle["LifecycleManagement"] == "ENABLED"
    assert idle["MaxIdleTimeoutInMinutes"] == idle["IdleTimeoutInMinutes"] == 120
    assert user["SpaceStorageSettings"]["DefaultEbsStorageSettings"]["MaximumEbsVolumeSizeInGb"] == 50
    assert domain["DomainSettings"]["DockerSettings"] == {"EnableDockerAccess": "DISABLED"}


def test_nobody_gets_into_a_sandbox_and_it_reaches_no_address(apart: World) -> None:
    template = {"sandbox": apart.templates["mlops-sandbox"]}
    (group,) = resources(template, "AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in group.properties
    for rule in group.properties["SecurityGroupEgress"]:
        assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
        assert not {"CidrIp", "CidrIpv6"} & set(rule)
    for rule in resources(template, "AWS::EC2::SecurityGroupIngress"):
        assert plain(rule.properties["GroupId"]) != f"<{group.logical_id}.GroupId>"


def test_somebody_elses_network_brings_its_groups(together: World) -> None:
    assert resources({"sandbox": together.templates["mlops-sandbox"]}, "AWS::EC2::SecurityGroup") == []
    domain = one(together.templates["mlops-sandbox"], "AWS::SageMaker::Domain")
    assert domain["DefaultUserSettings"]["SecurityGroups"] == ["sg-0123456789abcdef0"]


def test_another_account_gets_the_portfolio_shared_and_accepts_it(apart: World) -> None:
    share = one(apart.templates["mlops-sandbox-portfolio"], "AWS::ServiceCatalog::PortfolioShare")
    assert share["AccountId"] == SCIENCE
    here = apart.templates["mlops-sandbox"]
    assert one(here, "AWS::ServiceCatalog::AcceptedPortfolioShare")["PortfolioId"] == {"Ref": "PortfolioId"}
    local = {"Ref": resources({"x": here}, "AWS::ServiceCatalog::Portfolio")[0].logical_id}
    taken = resources({"x": here}, "AWS::ServiceCatalog::PortfolioProductAssociation")
    assert {plain(product.properties["ProductId"]) for product in taken} == {"<NotebookProductId>", "<StudioProductId>"}
    for association in taken:
        assert association.properties["SourcePortfolioId"] == {"Ref": "PortfolioId"}
        assert association.properties["PortfolioId"] == local
        assert association.body["DependsOn"]
    outputs = {name for name in apart.templates["mlops-sandbox-portfolio"]["Outputs"] if not name.startswith("Export")}
    assert set(here["Parameters"]) - {"BootstrapVersion"} <= outputs


def test_in_one_account_nothing_is_shared(together: World) -> None:
    assert "mlops-sandbox-portfolio" not in together.templates
    assert resources(together.templates, "AWS::ServiceCatalog::PortfolioShare") == []
    assert set(together.templates["mlops-sandbox"]["Parameters"]) == {"BootstrapVersion"}


def test_each_product_is_launched_as_a_role_of_its_own_by_data_scientists(world: World) -> None:
    template = world.templates["mlops-sandbox"]
    constraints = resources({"x": template}, "AWS::ServiceCatalog::LaunchRoleConstraint")
    assert len({plain(constraint.properties["RoleArn"]) for constraint in constraints}) == 2
    assert len({plain(constraint.properties["ProductId"]) for constraint in constraints}) == 2
    for constraint in constraints:
        needed = {template["Resources"][name]["Type"] for name in constraint.body["DependsOn"]}
        assert needed == {"AWS::IAM::ManagedPolicy", "AWS::ServiceCatalog::PortfolioProductAssociation"}
    users = one(template, "AWS::ServiceCatalog::PortfolioPrincipalAssociation")
    role = template["Resources"][users["PrincipalARN"]["Fn::GetAtt"][0]]
    assert role["Properties"]["RoleName"] == "mlops-data-scientist"


def test_every_cost_center_is_a_tag_to_choose_and_has_a_budget_that_warns(world: World) -> None:
    template = {"x": world.templates["mlops-sandbox"]}
    options = resources(template, "AWS::ServiceCatalog::TagOption")
    assert {(each.properties["Key"], each.properties["Value"]) for each in options} == {
        ("cost-center", "8457"),
        ("cost-center", "research"),
    }
    limits = {}
    for budget in resources(template, "AWS::Budgets::Budget"):
        (tag,) = budget.properties["Budget"]["CostFilters"]["TagKeyValue"]
        limits[tag] = budget.properties["Budget"]["BudgetLimit"]["Amount"]
        for notification in budget.properties["NotificationsWithSubscribers"]:
            assert [one["Address"] for one in notification["Subscribers"]] == ["team@example.com"]
    assert limits == {"user:cost-center$8457": 500, "user:cost-center$research": 200}


def lifecycle_script(world: World) -> str:
    configuration = one(world.templates["mlops-sandbox"], "AWS::SageMaker::NotebookInstanceLifecycleConfig")
    (hook,) = configuration["OnStart"]
    return str(plain(hook["Content"]["Fn::Base64"]))


def test_the_lifecycle_script_is_a_shell_script_that_fits(world: World) -> None:
    script = lifecycle_script(world)
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr == ""
    assert len(base64.b64encode(script.encode())) <= 16384
    assert "--minutes 120" in script
    for forbidden in ("http://", "curl", "wget", "pip install", "crontab"):
        assert forbidden not in script


def test_the_stacks_are_the_same_each_time(apart: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    again = synthesize(tmp_path_factory.mktemp("again"), science=SCIENCE, sandbox=SANDBOX, network=NETWORK)
    assert json.dumps(again.templates, sort_keys=True) == json.dumps(apart.templates, sort_keys=True)


def test_without_the_section_there_are_no_sandboxes(templates: dict[str, Template]) -> None:
    assert [name for name in templates if "sandbox" in name or "personas" in name] == []


def test_what_the_stack_of_the_sandboxes_imports_is_exported_in_its_account(apart: World) -> None:
    neighbours = ["mlops-data-science", *[name for name in apart.templates if name.startswith("mlops-network")]]
    exported = {
        plain(output["Export"]["Name"])
        for stack in neighbours
        for output in apart.templates[stack]["Outputs"].values()
        if "Export" in output
    }
    wanted = imported(apart.templates["mlops-sandbox"])
    assert "mlops-network:EndpointSecurityGroup" in wanted
    assert wanted <= exported
