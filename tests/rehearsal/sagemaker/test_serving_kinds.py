"""Each kind of serving from its settings to an answer: what the constructs make, deployed and verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk.assertions import Template

from lambdas.shared.endpoint_calls import EndpointCaller, Reply
from lambdas.verify_endpoint.asynchronous import AsynchronousCaller
from mlops.rehearsal.clock import CLOCK
from mlops_constructs.autoscaling import scale
from mlops_constructs.endpoint_variants import AsynchronousPlace, async_config, production_variant, retained
from mlops_constructs.settings import Asynchronous, RealTime, Serverless, Serving
from mlops_constructs.settings.serving import Autoscaling, BacklogAutoscaling
from tests.rehearsal.cloudformation_world import Stack
from tests.rehearsal.endpoints_world import Endpoints

SCALED = RealTime(
    instance_pools=("ml.m5.large", "ml.c5.large"),
    autoscaling=Autoscaling(minimum=1, maximum=3, invocations_per_instance=100),
)
QUEUE = Asynchronous(
    type="asynchronous", instance_type="ml.m5.large", concurrency=2, autoscaling=BacklogAutoscaling(maximum=2)
)
NO_INSTANCES = Serverless(type="serverless", max_concurrency=2)


@pytest.fixture
def quickly() -> Iterator[None]:
    """A minute of the emulated clock is a twentieth of a second."""
    CLOCK.reset(1200)
    yield
    CLOCK.reset()


def template(settings: Serving, *, name: str, model: str, folder: str, key: str) -> dict[str, Any]:
    """Make the resources of an endpoint as the serving stack does."""
    stack = cdk.Stack(cdk.App(analytics_reporting=False), "Serving")
    configuration = sagemaker.CfnEndpointConfig(
        stack,
        "Configuration",
        production_variants=[production_variant(settings, name="live", model_name=model, weight=1)],
        async_inference_config=async_config(settings, AsynchronousPlace(uri=folder, key_arn=key)),
    )
    endpoint = sagemaker.CfnEndpoint(
        stack,
        "Endpoint",
        endpoint_name=name,
        endpoint_config_name=configuration.attr_endpoint_config_name,
        **retained(settings),
    )
    exists = cdk.CfnCondition(stack, "Exists", expression=cdk.Fn.condition_equals("a", "a"))
    scale(stack, endpoint=endpoint, name=name, settings=settings, exists=exists)
    cdk.Tags.of(stack).add("owner", "team")
    made = dict(Template.from_stack(stack).to_json())
    return {name: made[name] for name in ("Conditions", "Resources")}


def ask(endpoints: Endpoints, settings: Serving, name: str, folder: str) -> Reply:
    """Ask as the verification of a deployment does."""
    runtime = endpoints.account.client("sagemaker-runtime")
    if isinstance(settings, Asynchronous):
        s3 = endpoints.account.client("s3")
        return AsynchronousCaller(runtime, s3, endpoint_name=name, folder=f"{folder}/input/verification").call(b"1,2")
    return EndpointCaller(runtime, endpoint_name=name, variant="live").call(b"1,2")


@pytest.mark.slow
@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("settings", [SCALED, QUEUE, NO_INSTANCES], ids=lambda one: str(one.type))
def test_the_resources_of_a_kind_can_be_deployed_and_answer(
    endpoints: Endpoints, settings: Serving, waiting: Callable[..., Any]
) -> None:
    account, name = endpoints.account, endpoints.account.name("kind")
    folder = f"s3://{account.bucket}/{name}"
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    stack = Stack()
    document = template(settings, name=name, model=endpoints.model("0.5"), folder=folder, key=key)
    assert stack.deploy(document)["StackStatus"] == "CREATE_COMPLETE"
    if isinstance(settings, Asynchronous):  # nothing waits, so the instance that it began with goes
        waiting(lambda: instances(endpoints, name) == 0)
    assert ask(endpoints, settings, name, folder).body == b"0.5"
    targets = account.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[f"endpoint/{name}/variant/live"]
    )["ScalableTargets"]
    assert len(targets) == (not isinstance(settings, Serverless))
    account.client("cloudformation").delete_stack(StackName=stack.name)
    waiting(lambda: name not in [each["EndpointName"] for each in account.sagemaker.list_endpoints()["Endpoints"]])


def instances(endpoints: Endpoints, name: str) -> int:
    return int(endpoints.described(name)["ProductionVariants"][0]["CurrentInstanceCount"])
