"""The collector deletes what is old and loose, and never what anything refers to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.collect_configurations import handler
from lambdas.collect_configurations.adapter import Account
from lambdas.collect_configurations.logic import Collected, Endpoint, Found, Stack, Target, collect
from lambdas.shared.errors import EventError

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DAYS = 30
DEV = Target(endpoint="mlops-churn-dev", stack="mlops-churn-dev")
PROD = Target(endpoint="mlops-churn-prod", stack="mlops-churn-prod")
OWN = [f"{target.endpoint}-v{number}-0a1b2c3{number}" for target in (DEV, PROD) for number in (1, 2, 3)]
CANDIDATES = [f"{OWN[0]}-c", f"{OWN[4]}-c"]
FOREIGN = [
    "churn",
    "mlops-churn-dev",
    "mlops-churn-dev-v",
    "mlops-churn-dev-vx-0a1b2c3d",
    "mlops-churn-dev-v1-mine",
    "mlops-churn-dev-v1-0a1b2c31-mine",
    "mlops-churn-dev-v2-dev-v1-0a1b2c3d",
    "x-mlops-churn-dev-v1-0a1b2c3d",
    "mlops-iris-dev-v1-0a1b2c3d",
]
NAMES = st.sampled_from([*OWN, *CANDIDATES, *FOREIGN])
AGES = st.integers(0, 60).map(lambda days: NOW - timedelta(days=days))


@dataclass
class World:
    """An account; deleting what anything refers to is an error right there."""

    served: dict[str, Endpoint] = field(default_factory=dict)
    known: dict[str, datetime] = field(default_factory=dict)
    variants: dict[str, set[str]] = field(default_factory=dict)
    made: dict[str, datetime] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    stacks: dict[str, Stack] = field(default_factory=dict)

    def endpoints(self) -> list[Endpoint]:
        return list(self.served.values())

    def configurations(self) -> list[Found]:
        return [Found(name=name, created=created) for name, created in self.known.items()]

    def models_of(self, configuration: str) -> set[str]:
        return self.variants.get(configuration, set()) if configuration in self.known else set()

    def models(self, prefix: str) -> list[Found]:
        return [Found(name=name, created=at) for name, at in self.made.items() if name.startswith(prefix)]

    def models_of_jobs(self) -> set[str]:
        return self.running

    def stack(self, name: str) -> Stack | None:
        return self.stacks.get(name)

    def delete_configuration(self, name: str) -> None:
        self._check(name, self.known)
        assert not [one.name for one in self.served.values() if name in one.configurations], name
        del self.known[name]

    def delete_model(self, name: str) -> None:
        self._check(name, self.made)
        assert not [one for one in self.known if name in self.variants.get(one, ())], name
        assert name not in self.running
        del self.made[name]

    def _check(self, name: str, there: dict[str, datetime]) -> None:
        assert name in {*OWN, *CANDIDATES}, f"{name} belongs to somebody else"
        assert NOW - there[name] > timedelta(days=DAYS), f"{name} is too young"
        for stack in self.stacks.values():
            assert name not in {one.rsplit("/", 1)[-1] for one in stack.resources}, f"{name} is a resource of a stack"
        target = DEV if name.startswith(DEV.endpoint) else PROD
        assert target.stack not in self.stacks or self.stacks[target.stack].is_steady
        for endpoint in (target.endpoint, f"{target.endpoint}-preview"):
            assert endpoint not in self.served or self.served[endpoint].status in {
                "InService",
                "OutOfService",
                "Failed",
            }


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World(known=draw(st.dictionaries(NAMES, AGES)), made=draw(st.dictionaries(NAMES, AGES)))
    for name in world.known:
        world.variants[name] = draw(st.sets(NAMES, max_size=3)) | ({name} if draw(st.booleans()) else set())
    endpoints = ["mlops-churn-dev", "mlops-churn-prod", "mlops-churn-prod-preview", "somebody-else"]
    for name in draw(st.sets(st.sampled_from(endpoints))):
        status = draw(st.sampled_from(["InService", "Updating", "RollingBack", "UpdateRollbackFailed", "Failed"]))
        served = frozenset(draw(st.sets(NAMES, min_size=1, max_size=2)))
        world.served[name] = Endpoint(name=name, status=status, configurations=served)
    world.running = draw(st.sets(NAMES, max_size=2))
    for name in draw(st.sets(st.sampled_from([DEV.stack, PROD.stack]))):
        arns = draw(st.sets(NAMES.map(lambda one: f"arn:aws:sagemaker:eu-west-1:111122223333:model/{one}"), max_size=3))
        world.stacks[name] = Stack(is_steady=draw(st.booleans()), resources=frozenset(arns))
    return world


@given(worlds())
def test_nothing_that_anything_refers_to_is_ever_deleted_and_a_second_time_finds_nothing(world: World) -> None:
    before = {*world.known, *world.made}
    collected = collect([DEV, PROD], world, now=NOW, days=DAYS)
    gone = before - {*world.known, *world.made}
    assert gone <= {*collected.configurations, *collected.models}
    again = collect([DEV, PROD], world, now=NOW, days=DAYS)
    assert (again.configurations, again.models) == ([], [])


@given(worlds())
def test_what_is_old_and_loose_does_not_stay(world: World) -> None:
    collected = collect([DEV, PROD], world, now=NOW, days=DAYS)
    kept = frozenset().union(*(one.configurations for one in world.endpoints()))
    for name in OWN + CANDIDATES:
        target = DEV if name.startswith(DEV.endpoint) else PROD
        in_stacks = any(name in one for stack in world.stacks.values() for one in stack.resources)
        loose = name not in kept and not in_stacks and target.endpoint not in collected.changing
        if name in world.known and NOW - world.known[name] > timedelta(days=DAYS):
            assert not loose, name


def test_an_earlier_version_goes_and_the_ones_that_serve_stay() -> None:
    old = NOW - timedelta(days=40)
    pending = Endpoint(name="mlops-churn-prod", status="InService", configurations=frozenset({OWN[5], OWN[4]}))
    world = World(
        served={pending.name: pending},
        known=dict.fromkeys(OWN[3:], old),
        variants={name: {name} for name in OWN[3:]},
        made=dict.fromkeys(OWN[3:], old),
    )
    assert collect([PROD], world, now=NOW, days=DAYS) == Collected(configurations=[OWN[3]], models=[OWN[3]])


# In SageMaker


@pytest.fixture
def sagemaker(moto: Aws, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TARGETS", json.dumps([{"endpoint": "mlops-churn-prod", "stack": "mlops-churn-prod"}]))
    monkeypatch.setenv("KEPT_DAYS", "0")
    client = moto.create_client("sagemaker")
    for name in (*OWN[3:], "churn"):
        container = {"Image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/x:1"}
        role = "arn:aws:iam::111122223333:role/endpoint"
        client.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
        variant = {"VariantName": "live", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.t2.medium"}
        client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    client.create_endpoint(EndpointName="mlops-churn-prod", EndpointConfigName=OWN[5])
    return client


def test_the_function_deletes_with_sagemaker_what_the_endpoint_left_behind(
    sagemaker: Any, context: Context, moto: Aws
) -> None:
    template = {
        "Resources": {
            "Model": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": OWN[4], "Type": "String", "Value": "x"}}
        }
    }
    moto.create_client("cloudformation").create_stack(StackName="mlops-churn-prod", TemplateBody=json.dumps(template))
    answer = handler.handle({"source": "aws.events"}, context)
    assert answer == {"configurations": [OWN[3]], "models": [OWN[3]], "changing": []}
    left = {one["EndpointConfigName"] for one in sagemaker.list_endpoint_configs()["EndpointConfigs"]}
    assert left == {OWN[4], OWN[5], "churn"} == {one["ModelName"] for one in sagemaker.list_models()["Models"]}


def test_what_a_deployment_brings_and_what_a_shadow_serves_is_seen(aws: Aws) -> None:
    stub, arn = aws.stub("sagemaker"), "arn:aws:sagemaker:eu-west-1:111122223333"
    times = {"CreationTime": NOW, "LastModifiedTime": NOW}
    endpoint = {"EndpointName": "e", "EndpointArn": f"{arn}:endpoint/e", "EndpointStatus": "Updating", **times}
    stub.add_response("list_endpoints", {"Endpoints": [endpoint]})
    pending = {"PendingDeploymentSummary": {"EndpointConfigName": "next"}}
    stub.add_response("describe_endpoint", {**endpoint, "EndpointConfigName": "now", **pending}, {"EndpointName": "e"})
    configuration = {
        "EndpointConfigName": "now",
        "EndpointConfigArn": f"{arn}:endpoint-config/now",
        "CreationTime": NOW,
        "ProductionVariants": [{"VariantName": "live", "ModelName": "champion"}],
        "ShadowProductionVariants": [
            {"VariantName": "shadow", "ModelName": "challenger"},
            {"VariantName": "component"},
        ],
    }
    stub.add_response("describe_endpoint_config", configuration, {"EndpointConfigName": "now"})
    account = Account(aws.create_client("sagemaker"), None)
    assert account.endpoints() == [Endpoint(name="e", status="Updating", configurations=frozenset({"now", "next"}))]
    assert account.models_of("now") == {"champion", "challenger"}


def test_what_is_gone_meanwhile_refers_to_nothing(aws: Aws) -> None:
    stub, stacks = aws.stub("sagemaker"), aws.stub("cloudformation")
    stub.add_client_error("describe_endpoint_config", "ValidationException", "Could not find endpoint configuration")
    stub.add_response(
        "list_endpoints",
        {
            "Endpoints": [
                {
                    "EndpointName": "e",
                    "EndpointArn": "arn:aws:sagemaker:eu-west-1:111122223333:endpoint/e",
                    "CreationTime": NOW,
                    "LastModifiedTime": NOW,
                    "EndpointStatus": "Deleting",
                }
            ]
        },
    )
    stub.add_client_error("describe_endpoint", "ValidationException", "Could not find endpoint")
    stacks.add_client_error("describe_stacks", "ValidationError", "Stack with id s does not exist")
    stub.add_client_error("describe_endpoint_config", "ThrottlingException", "slow down")
    account = Account(aws.create_client("sagemaker"), aws.create_client("cloudformation"))
    assert account.models_of("gone") == set()
    assert account.endpoints() == []
    assert account.stack("s") is None
    with pytest.raises(Exception, match="slow down"):
        account.models_of("there")


@pytest.mark.parametrize("targets", ["", "[]", '[{"endpoint": 5}]'])
def test_targets_that_are_no_targets_are_refused(
    targets: str, moto: Aws, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert moto.moto_is_there
    monkeypatch.setenv("TARGETS", targets)
    monkeypatch.setenv("KEPT_DAYS", "30")
    with pytest.raises(EventError, match="TARGETS"):
        handler.handle({}, context)
