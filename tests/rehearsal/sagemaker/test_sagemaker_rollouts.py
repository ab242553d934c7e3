from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from mlops.rehearsal import credentials, events, sagemaker_canary, sagemaker_guardrails
from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_traffic import TRAFFIC
from tests.rehearsal.cloudformation_world import Stack
from tests.rehearsal.endpoints_world import Clients, Endpoints

OLD, NEW = "0.25", "0.75"


def canary(*alarms: str, percent: int = 50, wait: int = 60, bake: int = 30) -> dict[str, Any]:
    config: dict[str, Any] = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": percent},
                "WaitIntervalInSeconds": wait,
            },
            "TerminationWaitInSeconds": bake,
        }
    }
    if alarms:
        config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in alarms]}
    return config


def moved(endpoint: str) -> list[tuple[float, str]]:
    return [(shift.share, shift.decision) for shift in TRAFFIC.shifts(endpoint)]


@pytest.fixture
def alarm(account: Any) -> Iterator[Any]:
    """Make an alarm on a metric of an endpoint; returns its name."""
    cloudwatch = account.client("cloudwatch")
    made: list[str] = []

    def make(endpoint: str, metric: str, threshold: float, **dimensions: str) -> str:
        made.append(account.name("alarm"))
        given = {"EndpointName": endpoint, "VariantName": "A", **dimensions}
        cloudwatch.put_metric_alarm(
            AlarmName=made[-1],
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in given.items()],
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=threshold,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )
        return made[-1]

    yield make
    cloudwatch.delete_alarms(AlarmNames=made)


def test_a_canary_moves_a_part_then_everything_and_loses_no_request(endpoints: Endpoints) -> None:
    name = endpoints.in_service(OLD)
    with Clients(endpoints, name) as clients:
        described = endpoints.update(name, endpoints.configuration(NEW), DeploymentConfig=canary(wait=120))
        ended = time.monotonic()
        time.sleep(0.1)
    assert described["EndpointStatus"] == "InService"
    assert moved(name) == [(0.5, ""), (1.0, ""), (1.0, "completed")]
    assert {answer for _, answer in clients.answers} == {OLD, NEW}
    assert {answer for sent, answer in clients.answers if sent > ended} == {NEW}
    samples = TRAFFIC.samples(name)
    assert len(samples) == len(clients.answers)
    assert {sample.status for sample in samples} == {200}
    first, second, _ = TRAFFIC.shifts(name)
    assert 120 <= second.emulated - first.emulated < 600
    part = [sample for sample in samples if first.at < sample.at < second.at]
    assert {sample.configuration for sample in part} == {first.blue, first.green}


def test_a_deployment_tells_what_it_does(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, dict[str, Any]]] = []

    def emit(_source: str, kind: str, detail: dict[str, Any], *_: Any, **__: Any) -> None:
        told.append((kind, detail))

    name = endpoints.in_service(OLD)
    old, new = endpoints.described(name)["EndpointConfigName"], endpoints.configuration(NEW)
    monkeypatch.setattr(events, "emit", emit)
    endpoints.begin(name, new, DeploymentConfig=canary(wait=120))
    described = endpoints.waiting(
        lambda: next(
            (found for found in [endpoints.described(name)] if _status(found)["Status"] == "Baking"),
            None,
        )
    )
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("Updating", old)
    assert described["PendingDeploymentSummary"]["EndpointConfigName"] == new
    assert _status(described)["StatusMessage"] == (
        "Baking for 120 seconds (WaitIntervalInSeconds) with traffic enabled on canary capacity of 1 instance(s)."
    )
    described.pop("ResponseMetadata")
    client = botocore.session.Session(profile=None).create_client(
        "sagemaker", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:  # refuses an answer that the model of the API does not allow
        stub.add_response("describe_endpoint", described)
        client.describe_endpoint(EndpointName="x")
    settled = endpoints.settled(name)
    assert settled["LastDeploymentConfig"] == canary(wait=120)
    assert "PendingDeploymentSummary" not in settled
    statuses = [
        detail["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0]["Status"]
        for kind, detail in told
        if kind == "SageMaker Endpoint Deployment State Change"
    ]
    assert statuses == ["Creating", "ActivatingTraffic", "Baking", "ActivatingTraffic", "Baking", "Deleting"]


def _status(described: dict[str, Any]) -> dict[str, Any]:
    pending = described.get("PendingDeploymentSummary", {"ProductionVariants": [{"VariantStatus": [{"Status": ""}]}]})
    found: dict[str, Any] = pending["ProductionVariants"][0]["VariantStatus"][0]
    return found


def test_an_alarm_brings_the_old_version_back_silently(endpoints: Endpoints, alarm: Any) -> None:
    name = endpoints.in_service(OLD)
    old, new = endpoints.described(name)["EndpointConfigName"], endpoints.configuration(NEW)
    errors = alarm(name, "Invocation5XXErrors", 0.05, EndpointConfigName=new)
    FAULTS.activate(Fault.CANARY_ERRORS)
    with Clients(endpoints, name) as clients:
        described = endpoints.update(name, new, DeploymentConfig=canary(errors, wait=3600))
        ended = time.monotonic()
        time.sleep(0.1)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", old)
    assert "FailureReason" not in described
    assert moved(name) == [(0.5, ""), (0.0, "rolled back")]
    shifted, back = TRAFFIC.shifts(name)
    assert back.cause == f"alarm {errors}"
    assert back.emulated - shifted.emulated < 600
    assert "ModelError" in {answer for _, answer in clients.answers}
    assert {answer for sent, answer in clients.answers if sent > ended} == {OLD}


def test_an_alarm_that_is_on_lets_no_traffic_move(endpoints: Endpoints, alarm: Any) -> None:
    name = endpoints.in_service(OLD)
    latency = alarm(name, "ModelLatency", 0.0)  # whatever answers is too slow for it
    with Clients(endpoints, name):
        cloudwatch = endpoints.account.client("cloudwatch")
        endpoints.waiting(
            lambda: cloudwatch.describe_alarms(AlarmNames=[latency])["MetricAlarms"][0]["StateValue"] == "ALARM"
        )
        endpoints.update(name, endpoints.configuration(NEW), DeploymentConfig=canary(latency))
    assert moved(name) == [(0.0, "rolled back")]
    assert {sample.configuration for sample in TRAFFIC.samples(name)} == {TRAFFIC.shifts(name)[0].blue}


@pytest.mark.parametrize("missing", ["alarm", "permission"])
def test_an_alarm_that_cannot_be_looked_at_is_refused(endpoints: Endpoints, alarm: Any, missing: str) -> None:
    name = endpoints.in_service(OLD)
    watched = "nobody-made-this" if missing == "alarm" else alarm(name, "ModelLatency", 1e9)
    words = "auto-rollback alarm .*nobody-made-this does not exist"
    iam, document = endpoints.account.client("iam"), {"Effect": "Deny", "Action": "cloudwatch:*", "Resource": "*"}
    role = endpoints.account.role.rsplit("/", 1)[-1]
    if missing == "permission":
        words = "not authorized to perform: cloudwatch:DescribeAlarms"
        policy = json.dumps({"Version": "2012-10-17", "Statement": [document]})
        iam.put_role_policy(RoleName=role, PolicyName="no-alarms", PolicyDocument=policy)
    try:
        with pytest.raises(ClientError, match=words):
            endpoints.begin(name, endpoints.configuration(NEW), DeploymentConfig=canary(watched))
    finally:
        if missing == "permission":
            iam.delete_role_policy(RoleName=role, PolicyName="no-alarms")
    assert endpoints.described(name)["EndpointStatus"] == "InService"


def test_a_deployment_that_takes_too_long_goes_back(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    name = endpoints.in_service(OLD)
    old = endpoints.described(name)["EndpointConfigName"]
    monkeypatch.setattr(sagemaker_guardrails, "_LONGEST_SECONDS", 90.0)  # the API takes 600 at least
    described = endpoints.update(name, endpoints.configuration(NEW), DeploymentConfig=canary(wait=3600))
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", old)
    assert TRAFFIC.shifts(name)[-1].cause == "the deployment took more than 90 seconds"


def test_a_rolling_deployment_goes_back_batch_by_batch(endpoints: Endpoints, alarm: Any) -> None:
    first, second = (endpoints.variants({"A": answer}, instances=4) for answer in (OLD, NEW))
    name = endpoints.served(first)
    watched = alarm(name, "Invocations", 0.0, EndpointConfigName="none")
    size = {"Type": "CAPACITY_PERCENT", "Value": 50}
    rolling = {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": size,
            "WaitIntervalInSeconds": 60,
            "RollbackMaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": watched}]},
    }
    endpoints.begin(name, second, DeploymentConfig=rolling)
    endpoints.waiting(lambda: len(TRAFFIC.shifts(name)) == 2)
    _turn_on(endpoints, watched)
    assert endpoints.settled(name)["EndpointConfigName"] == first
    back = [(0.75, "rolled back"), (0.5, ""), (0.25, ""), (0.0, "")]
    assert moved(name) == [(0.5, ""), (1.0, ""), *back]


def test_a_stack_whose_endpoint_rolled_back_is_complete(endpoints: Endpoints, alarm: Any) -> None:
    old, new = endpoints.configuration(OLD), endpoints.configuration(NEW)
    name, stack = endpoints.account.name("endpoint"), Stack()
    watched = alarm(name, "Invocations", 0.0, EndpointConfigName="none")
    _turn_on(endpoints, watched)

    def template(configuration: str) -> dict[str, Any]:
        given = {"EndpointName": name, "EndpointConfigName": configuration, "DeploymentConfig": canary(watched)}
        return {"Resources": {"Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": given}}}

    stack.deploy(template(old))
    endpoints.made.append(name)
    assert stack.deploy(template(new))["StackStatus"] == "UPDATE_COMPLETE"
    assert endpoints.described(name)["EndpointConfigName"] == old
    assert moved(name) == [(0.0, "rolled back")]


def test_a_request_under_way_gets_its_answer_from_the_old_fleet(endpoints: Endpoints) -> None:
    name, answers = endpoints.in_service(OLD), []
    slow = threading.Thread(target=lambda: answers.append(endpoints.invoke(name, b"slow")["Body"].read().decode()))
    slow.start()
    time.sleep(0.1)
    endpoints.update(name, endpoints.configuration(NEW))
    slow.join()
    assert answers == [OLD]
    assert endpoints.invoke(name)["Body"].read().decode() == NEW


@pytest.mark.parametrize(
    ("fault", "seen"), [(Fault.CANARY_WRONG, {"0.5", "0.25"}), (Fault.CANARY_DIES, {"0.5", NEW, "ModelError"})]
)
def test_canary_faults_strike_the_new_version_when_it_gets_traffic(
    endpoints: Endpoints, alarm: Any, fault: Fault, seen: set[str]
) -> None:
    name = endpoints.in_service("0.5")
    watched = alarm(name, "Invocations", 0.0, EndpointConfigName="none")
    FAULTS.activate(fault)
    with Clients(endpoints, name) as clients:
        endpoints.begin(name, endpoints.configuration(NEW), DeploymentConfig=canary(watched, wait=3600))
        endpoints.waiting(lambda: {answer for _, answer in clients.answers} >= seen)
    _turn_on(endpoints, watched)
    endpoints.settled(name)
    assert {answer for _, answer in clients.answers} == seen
    assert endpoints.invoke(name)["Body"].read().decode() == "0.5"


def _turn_on(endpoints: Endpoints, alarm: str) -> None:
    cloudwatch = endpoints.account.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="the test")


def test_canary_faults_spare_a_deployment_that_moves_everything_at_once(endpoints: Endpoints) -> None:
    name = endpoints.in_service(OLD)
    FAULTS.activate(Fault.CANARY_WRONG)
    endpoints.update(name, endpoints.configuration(NEW))
    assert endpoints.invoke(name)["Body"].read().decode() == NEW


def test_canary_slow_makes_every_answer_wait(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sagemaker_canary.SLOW_SECONDS == 2.0
    monkeypatch.setattr(sagemaker_canary, "SLOW_SECONDS", 0.3)
    name = endpoints.in_service(OLD)
    FAULTS.activate(Fault.CANARY_SLOW)
    endpoints.update(name, endpoints.configuration(NEW), DeploymentConfig=canary(wait=0, bake=0))
    endpoints.invoke(name)
    assert TRAFFIC.samples(name)[-1].latency_ms >= 300


def test_weights_change_after_a_while(endpoints: Endpoints) -> None:
    name = endpoints.served(endpoints.variants({"live": OLD, "challenger": NEW}))
    sagemaker = endpoints.account.sagemaker
    wish = {"VariantName": "challenger", "DesiredWeight": 0.0}
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=[wish])
    described = endpoints.described(name)
    assert described["EndpointStatus"] == "Updating"
    weights = {v["VariantName"]: (v["CurrentWeight"], v["DesiredWeight"]) for v in described["ProductionVariants"]}
    assert weights == {"live": (1.0, 1.0), "challenger": (1.0, 0.0)}
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        endpoints.begin(name, described["EndpointConfigName"])
    endpoints.settled(name)
    assert {endpoints.invoke(name)["InvokedProductionVariant"] for _ in range(20)} == {"live"}
    answer = endpoints.invoke(name, TargetVariant="challenger")
    assert (answer["Body"].read().decode(), answer["InvokedProductionVariant"]) == (NEW, "challenger")
    with pytest.raises(ClientError, match=r"Variant nobody of endpoint .* not found"):
        endpoints.invoke(name, TargetVariant="nobody")


def test_an_update_may_keep_the_weights(endpoints: Endpoints) -> None:
    name = endpoints.served(endpoints.variants({"live": OLD, "challenger": NEW}))
    wishes = [{"VariantName": "challenger", "DesiredWeight": 0.25, "DesiredInstanceCount": 3}]
    sagemaker = endpoints.account.sagemaker
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=wishes)
    endpoints.settled(name)
    excluded = [{"VariantPropertyType": "DesiredInstanceCount"}]
    second = endpoints.variants({"live": OLD, "challenger": NEW})
    described = endpoints.update(
        name, second, RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=excluded
    )
    kept = {v["VariantName"]: (v["CurrentWeight"], v["CurrentInstanceCount"]) for v in described["ProductionVariants"]}
    assert kept == {"live": (1.0, 1), "challenger": (0.25, 1)}


def test_a_shadow_variant_gets_copies_whose_answers_are_only_captured(endpoints: Endpoints) -> None:
    bucket = endpoints.account.bucket
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{bucket}/shadowed",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }
    shadow = endpoints.variant("shadow", NEW, weight=0.5)
    name = endpoints.served(
        endpoints.variants({"live": OLD}, ShadowProductionVariants=[shadow], DataCaptureConfig=capture)
    )
    assert [v["VariantName"] for v in endpoints.described(name)["ShadowProductionVariants"]] == ["shadow"]
    sent = {f"row-{number}" for number in range(60)}
    assert {endpoints.invoke(name, InferenceId=row)["Body"].read().decode() for row in sent} == {OLD}
    with pytest.raises(ClientError, match=r"Variant shadow of endpoint .* not found"):
        endpoints.invoke(name, TargetVariant="shadow")
    endpoints.waiting(lambda: len(_captured(endpoints, f"shadowed/{name}/live/")) == len(sent))
    live, copies = (_captured(endpoints, f"shadowed/{name}/{variant}/") for variant in ("live", "shadow"))
    assert live.keys() == sent
    assert 10 <= len(copies) <= 50
    assert all(live[row]["eventMetadata"] == copies[row]["eventMetadata"] for row in copies)
    assert {record["captureData"]["endpointOutput"]["data"] for record in copies.values()} == {NEW}
    assert sum(sample.shadow for sample in TRAFFIC.samples(name)) == len(copies)
    assert _sum(endpoints, "Invocations", EndpointName=name, VariantName="shadow") == len(copies)


def _captured(endpoints: Endpoints, prefix: str) -> dict[str, dict[str, Any]]:
    s3, bucket = endpoints.account.client("s3"), endpoints.account.bucket
    objects = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    lines = [
        line for one in objects for line in endpoints.account.get(f"s3://{bucket}/{one['Key']}").decode().splitlines()
    ]
    return {record["eventMetadata"]["inferenceId"]: record for record in map(json.loads, lines)}


def test_a_shadow_variant_stands_beside_one_production_variant(endpoints: Endpoints) -> None:
    shadow = [endpoints.variant("shadow", NEW)]
    with pytest.raises(ClientError, match="one variant beside one production variant"):
        endpoints.variants({"live": OLD, "challenger": NEW}, ShadowProductionVariants=shadow)
    with pytest.raises(ClientError, match="names of the variants must be unique"):
        endpoints.variants({"shadow": OLD}, ShadowProductionVariants=shadow)


def _sum(endpoints: Endpoints, metric: str, statistic: str = "Sum", **dimensions: str) -> float | None:
    answer = endpoints.account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=CLOCK.now() - timedelta(hours=2),
        EndTime=CLOCK.now() + timedelta(minutes=1),
        Period=10800,
        Statistics=[statistic],
    )
    points = [point[statistic] for point in answer["Datapoints"]]
    return sum(points) if points else None


def test_every_invocation_is_measured(endpoints: Endpoints) -> None:
    configuration = endpoints.variants({"A": OLD}, instances=2)
    name = endpoints.served(configuration)
    endpoints.invoke(name)
    with pytest.raises(ClientError):
        endpoints.invoke(name, b"boom")
    with pytest.raises(ClientError):
        endpoints.invoke(name, ContentType="application/json")
    variant = {"EndpointName": name, "VariantName": "A"}
    for dimensions in (variant, variant | {"EndpointConfigName": configuration}):
        sums = {
            metric: _sum(endpoints, metric, **dimensions)
            for metric in ("Invocations", "InvocationsPerInstance", "Invocation4XXErrors", "Invocation5XXErrors")
        }
        assert sums == {
            "Invocations": 3.0,
            "InvocationsPerInstance": 1.5,
            "Invocation4XXErrors": 1.0,
            "Invocation5XXErrors": 1.0,
        }
        assert _sum(endpoints, "InvocationModelErrors", **dimensions) == 2.0
        assert _sum(endpoints, "Invocation5XXErrors", "SampleCount", **dimensions) == 3.0  # zeros, too
    latency = _sum(endpoints, "ModelLatency", "Average", **variant)
    assert latency is not None
    assert 50 < latency < 1e6  # microseconds


def test_a_role_invokes_only_what_its_policies_allow(endpoints: Endpoints) -> None:
    name, other = endpoints.in_service(OLD), endpoints.in_service(NEW)
    iam, role = endpoints.account.client("iam"), endpoints.account.name("caller")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    resource = f"arn:aws:sagemaker:eu-west-1:111122223333:endpoint/{name}"
    allow = {"Effect": "Allow", "Action": "sagemaker:InvokeEndpoint", "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=policy)
    runtime = credentials.client("sagemaker-runtime", role_arn=arn, principal="lambda.amazonaws.com")
    request = {"ContentType": "text/csv", "Body": b"1,2"}
    assert runtime.invoke_endpoint(EndpointName=name, **request)["Body"].read().decode() == OLD
    with pytest.raises(ClientError) as denied:
        runtime.invoke_endpoint(EndpointName=other, **request)
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
    assert denied.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
