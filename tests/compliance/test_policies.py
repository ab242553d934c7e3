from __future__ import annotations

import pytest

from tests.compliance.reading import Statement, Template, is_boundary, resources, statements

STAR_REASONS = {
    "codepipeline:PutJobFailureResult": "no resource-level permission (Service Authorization Reference, CodePipeline)",
    "codepipeline:PutJobSuccessResult": "no resource-level permission (Service Authorization Reference, CodePipeline)",
    "cloudwatch:PutMetricData": "no resource-level permission; limited by cloudwatch:namespace",
    "ecr:GetAuthorizationToken": "no resource-level permission (Service Authorization Reference, Amazon ECR)",
    "logs:CreateLogDelivery": "log delivery has no resource-level permission (Step Functions, cw-logs)",
    "logs:DeleteLogDelivery": "log delivery has no resource-level permission (Step Functions, cw-logs)",
    "logs:DescribeLogGroups": "log delivery has no resource-level permission (Step Functions, cw-logs)",
    "logs:DescribeResourcePolicies": "log delivery has no resource-level permission (Step Functions, cw-logs)",
    "logs:GetLogDelivery": "log delivery has no resource-level permission (Step Functions, cw-logs)",
    "logs:ListLogDeliveries": "log delivery has no resource-level permission (Step Functions, cw-logs)",
    "logs:PutResourcePolicy": "log delivery has no resource-level permission (Step Functions, cw-logs)",
    "logs:UpdateLogDelivery": "log delivery has no resource-level permission (Step Functions, cw-logs)",
    "sagemaker:ListEndpointConfigs": "no resource-level permission (Service Authorization Reference, SageMaker AI)",
    "sagemaker:ListEndpoints": "no resource-level permission (Service Authorization Reference, SageMaker AI)",
    "sagemaker:ListModels": "no resource-level permission (Service Authorization Reference, SageMaker AI)",
    "sagemaker:ListTransformJobs": "no resource-level permission (Service Authorization Reference, SageMaker AI)",
    "xray:GetSamplingRules": "no resource-level permission (Service Authorization Reference, X-Ray)",
    "xray:GetSamplingTargets": "no resource-level permission (Service Authorization Reference, X-Ray)",
    "xray:PutTelemetryRecords": "no resource-level permission (Service Authorization Reference, X-Ray)",
    "xray:PutTraceSegments": "no resource-level permission (Service Authorization Reference, X-Ray)",
}


@pytest.fixture(scope="module")
def all_statements(templates: dict[str, Template]) -> list[Statement]:
    return list(statements(templates))


def allows(found: list[Statement], kind: str) -> list[Statement]:
    return [one for one in found if one.kind == kind and one.body["Effect"] == "Allow"]


def test_every_permission_on_every_resource_has_a_recorded_reason(all_statements: list[Statement]) -> None:
    unexplained = [
        (one.resource.path, action)
        for one in allows(all_statements, "identity")
        if "*" in one.targets
        for action in one.actions
        if action not in STAR_REASONS
    ]
    assert unexplained == []


def test_every_recorded_reason_is_still_needed(all_statements: list[Statement]) -> None:
    used = {action for one in allows(all_statements, "identity") if "*" in one.targets for action in one.actions}
    assert set(STAR_REASONS) == used


def test_metrics_are_limited_to_a_namespace(all_statements: list[Statement]) -> None:
    writing = [one for one in allows(all_statements, "identity") if "cloudwatch:PutMetricData" in one.actions]
    assert writing
    assert all("cloudwatch:namespace" in one.condition_keys() for one in writing)


def test_no_role_gets_a_wildcard_action(all_statements: list[Statement]) -> None:
    wild = [
        (one.resource.path, action)
        for one in allows(all_statements, "identity")
        for action in one.actions
        if "*" in action
    ]
    assert wild == []


def test_every_service_trust_names_this_account(all_statements: list[Statement]) -> None:
    trusts = [one for one in all_statements if one.kind == "trust" and one.services()]
    assert trusts
    assert [one.resource.path for one in trusts if "aws:sourceaccount" not in one.condition_keys()] == []


def test_every_role_passed_is_passed_to_one_service(all_statements: list[Statement]) -> None:
    passes = [one for one in all_statements if "iam:PassRole" in one.actions]
    assert passes
    for one in passes:
        assert one.actions == ["iam:PassRole"], one.resource.path
        assert "iam:passedtoservice" in one.condition_keys(), one.resource.path
        # A boundary limits to the roles of the project; the policies that grant name the one role.
        assert one.kind == "boundary" or not any("*" in target for target in one.targets), one.resource.path
        assert one.targets != ["*"], one.resource.path


def test_every_use_of_a_key_goes_through_a_service(all_statements: list[Statement]) -> None:
    uses = [one for one in allows(all_statements, "identity") if any(a.startswith("kms:") for a in one.actions)]
    assert uses
    assert [one.resource.path for one in uses if "kms:viaservice" not in one.condition_keys()] == []


def test_resource_policies_admit_services_for_this_account_only(all_statements: list[Statement]) -> None:
    admitted = [one for one in allows(all_statements, "resource") if one.services()]
    assert admitted
    guards = {"aws:sourceaccount", "kms:encryptioncontext:aws:logs:arn"}
    assert [one.resource.path for one in admitted if not guards & one.condition_keys()] == []


def test_nobody_is_admitted_without_a_name(all_statements: list[Statement]) -> None:
    anonymous = [
        one.resource.path
        for one in allows(all_statements, "resource")
        if one.body.get("Principal") == "*" or one.body.get("Principal") == {"AWS": "*"}
    ]
    assert anonymous == []


def test_permissions_are_in_managed_policies_of_one_role_each(templates: dict[str, Template]) -> None:
    assert resources(templates, "AWS::IAM::Policy") == []
    for policy in resources(templates, "AWS::IAM::ManagedPolicy"):
        # The boundary of an account has no role: it would grant what it is there to limit.
        assert is_boundary(policy) or len(policy.properties["Roles"]) == 1, policy.path
    for role in resources(templates, "AWS::IAM::Role"):
        assert "Policies" not in role.properties, role.path
        assert "ManagedPolicyArns" not in role.properties, role.path


def test_only_a_boundary_has_wildcard_actions_and_it_is_attached_to_nobody(templates: dict[str, Template]) -> None:
    """What limits may be wide; what grants may not (tests/sandbox compares each boundary with each role)."""
    for policy in resources(templates, "AWS::IAM::ManagedPolicy"):
        if is_boundary(policy):
            assert policy.properties["ManagedPolicyName"].endswith("-boundary"), policy.path
            denied = [one for one in policy.properties["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
            assert any("iam:Put*" in one["Action"] and one["Resource"] == "*" for one in denied), policy.path


def test_no_managed_policy_exceeds_the_size_that_iam_accepts(templates: dict[str, Template]) -> None:
    import json  # noqa: PLC0415

    from tests.compliance.reading import plain  # noqa: PLC0415

    for policy in resources(templates, "AWS::IAM::ManagedPolicy"):
        # IAM counts 6,144 characters without white space; real ARNs are shorter than the placeholders here.
        document = json.dumps(plain(policy.properties["PolicyDocument"]), separators=(",", ":"))
        assert len(document) < 20_000, policy.path
