"""What the ways of serving need besides an endpoint, and nothing for those that do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from mlops_constructs import ServiceRole
from mlops_constructs.asynchronous_serving import allow_endpoint, allow_verification, verification_target
from mlops_constructs.deployment_role import DeploymentRole
from mlops_constructs.settings import Asynchronous, RealTime

ACCOUNT, REGION = "111122223333", "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:failures"
QUEUE = Asynchronous(type="asynchronous", instance_type="ml.m5.large", error_topic=TOPIC)
AT_ONCE = RealTime(instance_type="ml.m5.large")


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))


@pytest.fixture
def shared(stack: cdk.Stack) -> dict[str, Any]:
    artifacts = s3.Bucket.from_bucket_name(stack, "Artifacts", "artifacts")
    return {"artifacts": artifacts, "key": kms.Key.from_key_arn(stack, "Key", KEY)}


def service_role(stack: cdk.Stack) -> ServiceRole:
    return ServiceRole(stack, "Role", service="sagemaker.amazonaws.com", description="A role under test")


def allowed(stack: cdk.Stack) -> dict[str, Any]:
    """Return the resources of each action."""
    policies = Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
    statements = [one for policy in policies for one in policy["Properties"]["PolicyDocument"]["Statement"]]
    found: dict[str, Any] = {}
    for one in statements:
        for action in [one["Action"]] if isinstance(one["Action"], str) else one["Action"]:
            resources = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
            found.setdefault(action, []).extend(
                str(each).replace("{'Ref': 'AWS::Partition'}", "aws") for each in resources
            )
    return found


def objects(found: list[str]) -> list[str]:
    return sorted(each.rpartition("artifacts/")[2].removesuffix("']]}") for each in found)


def test_an_asynchronous_endpoint_uses_its_own_folder_and_topic(stack: cdk.Stack, shared: dict[str, Any]) -> None:
    allow_endpoint(service_role(stack), QUEUE, model="churn", environment="dev", **shared)
    found = allowed(stack)
    assert objects(found["s3:GetObject"]) == ["churn/endpoints/dev/input/*"]
    assert objects(found["s3:PutObject"]) == ["churn/endpoints/dev/failures/*", "churn/endpoints/dev/output/*"]
    assert found["sns:Publish"] == [TOPIC]
    assert found["kms:GenerateDataKey"] == [KEY]


def test_its_verification_asks_and_reads_the_answers(stack: cdk.Stack, shared: dict[str, Any]) -> None:
    endpoint = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/mlops-churn-dev"
    allow_verification(service_role(stack), QUEUE, model="churn", endpoints=[endpoint], **shared)
    found = allowed(stack)
    assert found["sagemaker:InvokeEndpointAsync"] == [endpoint]
    assert objects(found["s3:PutObject"]) == ["churn/endpoints/*/input/verification/*"]
    assert objects(found["s3:GetObject"]) == ["churn/endpoints/*/failures/*", "churn/endpoints/*/output/*"]
    assert "s3:ListBucket" in found


def test_the_event_names_the_folder_of_the_environment(shared: dict[str, Any]) -> None:
    assert verification_target(QUEUE, model="churn", artifacts=shared["artifacts"]) == {
        "asynchronous": {
            "inputUri.$": "States.Format('s3://artifacts/churn/endpoints/{}/input/verification', $.environment)"
        }
    }
    assert verification_target(AT_ONCE, model="churn", artifacts=shared["artifacts"]) == {}


@pytest.mark.parametrize(
    "allow",
    [
        lambda role, shared: allow_endpoint(role, AT_ONCE, model="churn", environment="dev", **shared),
        lambda role, shared: allow_verification(role, AT_ONCE, model="churn", endpoints=["arn"], **shared),
        lambda role, shared: allow_verification(role, QUEUE, model="churn", endpoints=[], **shared),
    ],
    ids=["endpoint", "verification", "elsewhere"],
)
def test_others_get_no_more(
    stack: cdk.Stack, shared: dict[str, Any], allow: Callable[[ServiceRole, dict[str, Any]], None]
) -> None:
    allow(service_role(stack), shared)
    assert allowed(stack) == {}


def test_a_deployment_scales_its_own_endpoints_alone(stack: cdk.Stack, shared: dict[str, Any]) -> None:
    role = DeploymentRole(
        stack, "Role", model="churn", endpoint_names=["mlops-churn-dev"], execution_roles=[], key=shared["key"]
    )
    role.allow_scaling()
    found = allowed(stack)
    tracking = [each for each in found["cloudwatch:PutMetricAlarm"] if "TargetTracking" in each]
    assert ["TargetTracking-endpoint/mlops-churn-dev/variant/*" in each for each in tracking] == [True]
    assert all("mlops-churn-dev" in each for each in found["sagemaker:UpdateEndpointWeightsAndCapacities"])
    (linked,) = found["iam:CreateServiceLinkedRole"]
    assert "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint" in linked
    (targets,) = found["application-autoscaling:RegisterScalableTarget"]
    assert "scalable-target/*" in targets
