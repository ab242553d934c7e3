"""The checkers of others, and the rules of this project, over everything in a private network."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk

import app
from tests.compliance.reading import Template, resources, statements
from tests.compliance.test_checkers import checkov, findings, lint_problems, nag_report
from tests.compliance.test_policies import STAR_REASONS, allows
from tests.conftest import context
from tests.network.conftest import MADE, alike, configure

STARS = STAR_REASONS | {
    "ec2:DeleteNetworkInterfacePermission": "no resource-level permission; limited by ec2:Region",
    "ec2:DescribeDhcpOptions": "no resource-level permission (Service Authorization Reference, Amazon EC2)",
    "ec2:DescribeNetworkInterfaces": "no resource-level permission (Service Authorization Reference, Amazon EC2)",
    "ec2:DescribeSecurityGroups": "no resource-level permission (Service Authorization Reference, Amazon EC2)",
    "ec2:DescribeSubnets": "no resource-level permission (Service Authorization Reference, Amazon EC2)",
    "ec2:DescribeVpcs": "no resource-level permission (Service Authorization Reference, Amazon EC2)",
}


def test_cdk_nag_finds_nothing_in_a_private_network(tmp_path: Path) -> None:
    output = tmp_path / "cdk.out"
    application = cdk.App(outdir=str(output), context=context())
    app.compose(application, configure(tmp_path / "config", alike(MADE)))
    report = nag_report(application, output)
    assert findings(report) == []
    acknowledged = findings(report, "suppressedViolations")
    assert any("VPCDefaultSecurityGroupClosed at mlops-network" in one for one in acknowledged)
    assert not [one for one in acknowledged if "LambdaInsideVPC" in one]


def test_cfn_lint_finds_nothing_in_a_private_network(private_assembly: Path) -> None:
    for path in private_assembly.glob("*.template.json"):
        assert lint_problems(path.read_text()) == [], path.name


def test_checkov_finds_nothing_in_a_private_network(private_assembly: Path, tmp_path: Path) -> None:
    for path in private_assembly.glob("*.template.json"):
        (tmp_path / path.name).write_text(path.read_text())
    failed = checkov(tmp_path)["results"]["failed_checks"]
    assert [f"{one['check_id']} {one['resource']}" for one in failed] == []


def test_every_permission_on_every_resource_has_a_reason(private_templates: dict[str, Template]) -> None:
    found = allows(list(statements(private_templates)), "identity")
    assert {action for one in found if "*" in one.targets for action in one.actions} - STARS.keys() == set()


def test_every_trust_in_the_network_names_this_account(network_template: dict[str, Template]) -> None:
    trusts = [one for one in statements(network_template) if one.kind == "trust"]
    assert {service for one in trusts for service in one.services()} == {
        "ssm.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
    }
    assert all("aws:sourceaccount" in one.condition_keys() for one in trusts)


def test_policies_of_endpoints_stay_below_the_limit(network_template: dict[str, Template]) -> None:
    for endpoint in resources(network_template, "AWS::EC2::VPCEndpoint"):
        assert len(json.dumps(endpoint.properties["PolicyDocument"])) < 20_480
