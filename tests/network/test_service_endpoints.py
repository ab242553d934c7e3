"""The endpoints of AWS services, and who passes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.compliance.reading import Resource, Template, as_list, plain, resources
from tests.conftest import ROOT, read_templates
from tests.network.conftest import ACCOUNTS, apart

ENDPOINT_OF = {
    "cloudwatch": "monitoring",
    "stepfunctions": "states",
    "sagemaker": "sagemaker.api",
    "sagemaker-runtime": "sagemaker.runtime",
}
"""The endpoint of a client, where it has another name."""
LAYERS = "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*"
XGBOOST = "141502667606"


def endpoints(template: dict[str, Template]) -> dict[str, Resource]:
    """Every endpoint, by the name of its service without the region."""
    found = resources(template, "AWS::EC2::VPCEndpoint")
    return {plain(one.properties["ServiceName"]).partition("eu-west-1.")[2]: one for one in found}


def statements(endpoint: Resource) -> list[dict[str, Any]]:
    return list(plain(endpoint.properties["PolicyDocument"])["Statement"])


@pytest.fixture(scope="module")
def accounts_templates(synthesize: Callable[[dict[str, Any]], Path]) -> dict[str, Template]:
    """Four accounts, three of which have a network."""
    return read_templates(synthesize(apart()))


def clients(folder: str) -> set[str]:
    """The AWS services that the programs of a folder have a client of."""
    sources = [path.read_text() for path in (ROOT / folder).rglob("*.py")]
    return {name for source in sources for name in re.findall(r'client\(\s*"([a-z0-9-]+)"', source)}


def test_every_service_that_a_function_calls_has_an_endpoint(accounts_templates: dict[str, Template]) -> None:
    called = {ENDPOINT_OF.get(name, name) for name in clients("lambdas")} - {"ecr"} | {"ecr.api"}
    assert len(called) > 6
    there = endpoints({"mlops-network": accounts_templates["mlops-network"]}).keys()
    assert called <= there
    assert there - called <= {"sts"}


def test_endpoints_are_where_somebody_calls(accounts_templates: dict[str, Template]) -> None:
    sandboxes, serving = (f"mlops-network-{ACCOUNTS[name]}-eu-west-1" for name in ("data_science", "prod"))
    assert {"logs", "monitoring", "ecr.dkr"} <= endpoints({"": accounts_templates[sandboxes]}).keys()
    assert endpoints({"": accounts_templates[serving]}).keys() == {"s3", "dynamodb"}


def test_an_account_that_asks_for_no_network_has_none(accounts_templates: dict[str, Template]) -> None:
    assert not [name for name in accounts_templates if "network" in name and ACCOUNTS["staging"] in name]


def test_only_the_accounts_of_the_project_pass(accounts_templates: dict[str, Template]) -> None:
    found = endpoints({"mlops-network": accounts_templates["mlops-network"]})
    for service, endpoint in found.items():
        for statement in statements(endpoint):
            if statement["Resource"] == LAYERS:
                assert statement["Action"] == "s3:GetObject"
                continue
            condition = statement["Condition"]
            assert condition["StringEquals"]["aws:PrincipalAccount"] == sorted(ACCOUNTS.values()), service


def test_what_they_reach_belongs_to_the_project(accounts_templates: dict[str, Template]) -> None:
    """Besides what AWS itself provides: images, and the bucket that ECR hands their layers out from."""
    for service, endpoint in endpoints({"mlops-network": accounts_templates["mlops-network"]}).items():
        others = []
        for statement in statements(endpoint):
            conditions = statement.get("Condition", {})
            owners = [one["aws:ResourceAccount"] for one in conditions.values() if "aws:ResourceAccount" in one]
            if owners != [sorted(ACCOUNTS.values())]:
                others += as_list(statement["Resource"])
        allowed = {"s3": [LAYERS], "ecr.api": [f"arn:aws:ecr:eu-west-1:{XGBOOST}:repository/*"]}
        assert others == allowed.get(service, []), service


def test_gateways_are_strict_about_the_owner(network_template: dict[str, Template]) -> None:
    """Every request to S3 and DynamoDB is about a resource; one for a token of ECR is not."""
    found = endpoints(network_template)
    for service in ("s3", "dynamodb"):
        assert "aws:ResourceAccount" in statements(found[service])[0]["Condition"]["StringEquals"]


def test_names_of_services_lead_to_their_endpoints(network_template: dict[str, Template]) -> None:
    for service, endpoint in endpoints(network_template).items():
        properties = endpoint.properties
        if properties["VpcEndpointType"] == "Interface":
            assert properties["PrivateDnsEnabled"] is True, service
            assert len(properties["SubnetIds"]) == 2, service
            assert len(properties["SecurityGroupIds"]) == 1, service
        else:
            assert len(properties["RouteTableIds"]) == 1, service


def test_images_of_other_accounts_are_pulled_only(network_template: dict[str, Template]) -> None:
    _, pull = statements(endpoints(network_template)["ecr.dkr"])
    assert {action.split(":")[1] for action in pull["Action"]} == {
        "BatchCheckLayerAvailability",
        "BatchGetImage",
        "GetDownloadUrlForLayer",
    }
