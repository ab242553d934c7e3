"""The rules of tests/compliance and the checkers of others, over projects with sandboxes."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
import pytest

from mlops_constructs.settings.sandbox import NOTEBOOK_TYPES
from tests.compliance import cfripper
from tests.compliance.reading import Template, is_boundary, resources, statements
from tests.compliance.test_checkers import SHORTEST_REASON, checkov, findings, lint_problems, nag_report
from tests.compliance.test_policies import STAR_REASONS
from tests.conftest import context
from tests.sandbox.conftest import NETWORK, SANDBOX, SCIENCE, World, compose, reader, synthesize, write_config

NEW = ("mlops-boundary", "mlops-personas", "mlops-sandbox", "mlopssandbox")
_LIST = "no resource-level permission for lists (Service Authorization Reference)"
_SELF = "no resource-level permission; limited to the person's own by servicecatalog:userLevel"
REASONS = STAR_REASONS | {
    "cloudformation:GetTemplateSummary": "of a template, not of a stack (Service Authorization Reference)",
    "cloudformation:ListExports": _LIST,
    "cloudformation:ListStacks": _LIST,
    "cloudformation:ValidateTemplate": "of a template, not of a stack (Service Authorization Reference)",
    "cloudtrail:LookupEvents": "no resource-level permission (Service Authorization Reference, CloudTrail)",
    "cloudwatch:DescribeAlarmHistory": "the history of all alarms; metrics and alarms hold no data",
    "cloudwatch:DescribeAlarms": "the alarms of the account; metrics and alarms hold no data",
    "cloudwatch:GetMetricData": "no resource-level permission (Service Authorization Reference, CloudWatch)",
    "codepipeline:ListPipelines": _LIST,
    "ec2:DeleteNetworkInterfacePermission": "no resource-level permission (Service Authorization Reference, EC2)",
    "ec2:DescribeAvailabilityZones": _LIST,
    "ec2:DescribeDhcpOptions": _LIST,
    "ec2:DescribeInternetGateways": _LIST,
    "ec2:DescribeNetworkInterfaces": _LIST,
    "ec2:DescribeSecurityGroups": _LIST,
    "ec2:DescribeSubnets": _LIST,
    "ec2:DescribeVpcs": _LIST,
    "s3:GetObject": "templates in a bucket of Service Catalog; limited by the tag servicecatalog:provisioning",
    "sagemaker:ListApps": _LIST,
    "sagemaker:ListDomains": _LIST,
    "sagemaker:ListModelPackageGroups": _LIST,
    "sagemaker:ListNotebookInstances": _LIST,
    "sagemaker:ListSpaces": _LIST,
    "sagemaker:ListUserProfiles": _LIST,
    "servicecatalog:DescribeProductView": "no resource-level permission (Service Authorization Reference)",
    "servicecatalog:DescribeProvisionedProduct": _SELF,
    "servicecatalog:DescribeRecord": _SELF,
    "servicecatalog:ListRecordHistory": _SELF,
    "servicecatalog:ScanProvisionedProducts": _SELF,
    "servicecatalog:SearchProducts": "no resource-level permission (Service Authorization Reference)",
    "servicecatalog:SearchProvisionedProducts": _SELF,
    "servicecatalog:TerminateProvisionedProduct": _SELF,
    "servicecatalog:UpdateProvisionedProduct": _SELF,
    "states:ListStateMachines": _LIST,
    "logs:DescribeLogGroups": _LIST,
}


def new_templates(world: World) -> dict[str, Template]:
    return {name: template for name, template in world.templates.items() if name.startswith(NEW)}


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(tmp_path: Path) -> None:
    config = write_config(tmp_path, science=SCIENCE, sandbox=SANDBOX, network=NETWORK)
    application = cdk.App(outdir=str(tmp_path / "cdk.out"), context=context(), analytics_reporting=False)
    compose(application, config)
    report = nag_report(application, tmp_path / "cdk.out")
    assert [one for one in findings(report) if one.split(" at ")[1].startswith(NEW)] == []
    assert any(" at mlops-sandbox/" in one for one in findings(report, "suppressedViolations"))


def test_cfn_lint_finds_nothing(world: World) -> None:
    files = [path for path in world.assembly.glob("*.template.json") if path.name.startswith(NEW)]
    assert len(files) >= 5
    assert {path.name: found for path in files if (found := lint_problems(path.read_text()))} == {}


def test_checkov_finds_nothing_that_is_not_acknowledged(apart: World, tmp_path: Path) -> None:
    for path in apart.assembly.glob("*.template.json"):
        if path.name.startswith(NEW):
            (tmp_path / path.name).write_text(path.read_text())
    report = checkov(tmp_path)
    assert [f"{one['check_id']} {one['resource']}" for one in report["results"]["failed_checks"]] == []
    skipped = report["results"]["skipped_checks"]
    assert all(len(one["check_result"]["suppress_comment"]) >= SHORTEST_REASON for one in skipped)


@pytest.fixture(scope="module")
def found(apart: World, tmp_path_factory: pytest.TempPathFactory) -> list[cfripper.Found]:
    folders = cfripper.by_account(apart.assembly, tmp_path_factory.mktemp("cfripper"), only=NEW)
    return [one for account, folder in folders.items() for one in cfripper.run(folder, account)]


def test_cfripper_finds_nothing_that_is_not_acknowledged(apart: World, found: list[cfripper.Found]) -> None:
    assert cfripper.unacknowledged(found, apart.templates, REASONS) == []


def test_cfripper_ran_over_the_new_stacks(found: list[cfripper.Found]) -> None:
    assert {one.template.split(".")[0] for one in found} >= {"mlops-boundary", "mlops-personas", "mlops-sandbox"}


def test_every_permission_on_every_resource_has_a_recorded_reason(world: World) -> None:
    unexplained = {
        (one.resource.path, action)
        for one in statements(new_templates(world))
        if one.kind == "identity" and one.body["Effect"] == "Allow" and "*" in one.targets
        for action in one.actions
        if action not in REASONS
    }
    assert unexplained == set()


def test_every_recorded_reason_is_still_needed(apart: World, together: World) -> None:
    used = {
        action
        for world in (apart, together)
        for one in statements(world.templates)
        if one.kind == "identity" and "*" in one.targets
        for action in one.actions
    }
    assert set(REASONS) - set(STAR_REASONS) <= used


def test_what_is_limited_to_the_own_says_so(world: World) -> None:
    for one in statements(new_templates(world)):
        if any(REASONS.get(action) == _SELF for action in one.actions) and one.kind == "identity":
            assert one.condition_keys() == {"servicecatalog:userlevel"}, one.resource.path
        if "s3:GetObject" in one.actions and "*" in one.targets:
            assert one.condition_keys() == {"s3:existingobjecttag/servicecatalog:provisioning"}, one.resource.path


def test_no_role_gets_a_wildcard_action(world: World) -> None:
    wild = [
        (one.resource.path, action)
        for one in statements(new_templates(world))
        if one.kind == "identity" and one.body["Effect"] == "Allow"
        for action in one.actions
        if "*" in action
    ]
    assert wild == []


def policy_sizes(world: World) -> dict[str, int]:
    """Characters without white space, as IAM counts; a placeholder is about as long as what it stands for."""
    return {
        f"{role.resource.path}/{policy.name}": len(json.dumps(policy.document, separators=(",", ":")))
        for role in reader(world).roles
        if role.resource.path.startswith(NEW)
        for policy in role.identity
    }


def test_every_policy_fits_into_a_managed_policy_with_the_longest_settings(
    apart: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    longest = SANDBOX | {
        "instance_types": list(NOTEBOOK_TYPES[-8:]),
        "job_instance_types": [f"ml.g4dn.{size}xlarge" for size in ("", 2, 4, 8, 12, 16)],
    }
    folder = tmp_path_factory.mktemp("longest")
    world = synthesize(folder, science=SCIENCE, sandbox=longest, network=NETWORK | {"zones": 3})
    sizes = policy_sizes(world)
    assert len(sizes) >= 8
    assert max(sizes.values()) > max(policy_sizes(apart).values())
    assert {name: size for name, size in sizes.items() if size > 6000} == {}


def test_every_bucket_and_key_here_is_kept_and_encrypted(world: World) -> None:
    template = {"sandbox": world.templates["mlops-sandbox"]}
    for one in resources(template, "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SageMaker::Domain"):
        assert one.body["DeletionPolicy"] == "RetainExceptOnCreate", one.path
    assert all(key.properties["EnableKeyRotation"] for key in resources(template, "AWS::KMS::Key"))


def test_only_the_boundary_has_no_role(world: World) -> None:
    boundaries = [one for one in resources(world.templates, "AWS::IAM::ManagedPolicy") if is_boundary(one)]
    assert boundaries
    assert {one.properties["ManagedPolicyName"] for one in boundaries} == {"mlops-boundary"}
