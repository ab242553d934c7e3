from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.roll_back import handler
from lambdas.roll_back.adapter import Deployment, Pipeline
from lambdas.roll_back.logic import Stage, look, told, way_back
from lambdas.shared.errors import EventError, StageBusy
from lambdas.shared.registry import ApprovalStatuses
from tests.lambdas.conftest import Containing

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context, Json

GROUP = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops-churn"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:mlops"
NOON = datetime(2026, 11, 12, 12, tzinfo=UTC)
PROD = Stage(name="Prod", last_action="Verify", approved=True)
STAGING = Stage(name="Staging", last_action="Verify", approved=False)
STATUSES = ("Approved", "Rejected", "PendingManualApproval")


def deployment(version: int, **changes: Any) -> Deployment:
    given = {"execution": f"e{version}", "package_arn": f"{GROUP}/{version}", "ended": NOON, "is_rollback": False}
    return Deployment(**{**given, "pipeline_version": 7, **changes})


class FakePipeline:
    """What the stages deployed, the last one first; version 7 of the structure."""

    version = 7

    def __init__(self, *deployments: Deployment, busy: bool = False, failed: Deployment | None = None) -> None:
        self._deployments, self._busy, self._failed = deployments, busy, failed

    def is_busy(self, _stage: str) -> bool:
        return self._busy

    def failed_rollback(self, _stage: str) -> Deployment | None:
        return self._failed

    def deployments(self, _stage: str, _last_action: str) -> Iterator[Deployment]:
        return iter(self._deployments)

    def roll_back(self, stage: str, *, to: str) -> str:
        raise NotImplementedError(stage, to)


class FakeApprovals(dict[int, str]):
    """Statuses by version; a version that is not there was deleted."""

    def status(self, package_arn: str) -> str | None:
        return self.get(int(package_arn.rsplit("/", 1)[1]))


# Which stage has to leave what


@pytest.mark.parametrize(
    ("pipeline", "approvals", "words"),
    [
        (FakePipeline(deployment(2), busy=True), {2: "Rejected"}, "looked at again"),
        (FakePipeline(), {}, "deployed nothing"),
        (FakePipeline(deployment(2), deployment(1)), {2: "Approved", 1: "Rejected"}, "version 2, which is Approved"),
        (FakePipeline(deployment(2)), {2: "PendingManualApproval"}, "PendingManualApproval"),
        (FakePipeline(deployment(2)), {}, "gone from the registry"),
    ],
)
def test_a_stage_that_serves_nothing_rejected_is_left_alone(
    pipeline: FakePipeline, approvals: dict[int, str], words: str
) -> None:
    serving, why = look(PROD, pipeline, FakeApprovals(approvals))
    assert serving is None
    assert words in why


def test_a_stage_goes_back_to_the_newest_version_that_is_still_approved() -> None:
    history = [deployment(4), deployment(3), deployment(2), deployment(1)]
    approvals = FakeApprovals({4: "Rejected", 3: "Rejected", 2: "Approved", 1: "Approved"})
    assert way_back(PROD, history[0], FakePipeline(*history), approvals).target == history[2]


def test_a_way_back_that_failed_at_a_rejected_version_leads_further_back_and_ends() -> None:
    approvals = FakeApprovals({4: "Rejected", 3: "Rejected", 2: "Rejected", 1: "Approved"})
    good, failed = deployment(1), deployment(3, execution="r", is_rollback=True)
    pipeline = FakePipeline(deployment(1, is_rollback=True), deployment(3), deployment(2), good, failed=failed)
    assert look(PROD, pipeline, approvals)[0] == failed
    assert way_back(PROD, failed, pipeline, approvals).target == good
    assert way_back(PROD, good, pipeline, approvals).target is None
    assert look(PROD, pipeline, FakeApprovals({3: "Approved", 1: "Approved"}))[0] is None, (
        "it failed for another reason"
    )


def test_before_the_approval_a_version_only_must_not_be_rejected() -> None:
    history = [deployment(3), deployment(2)]
    approvals = FakeApprovals({3: "Rejected", 2: "PendingManualApproval"})
    assert way_back(STAGING, history[0], FakePipeline(*history), approvals).target == history[1]
    way = way_back(PROD, history[0], FakePipeline(*history), approvals)
    assert way.target is None
    assert "2 is PendingManualApproval" in way.reason


def test_an_execution_from_before_a_change_of_the_pipeline_is_no_target_and_the_other_way_is_named() -> None:
    history = [deployment(2), deployment(1, pipeline_version=6)]
    way = way_back(PROD, history[0], FakePipeline(*history), FakeApprovals({2: "Rejected", 1: "Approved"}))
    assert way.target is None
    assert "version 1" in way.reason
    subject, text = told(way, PROD, model="churn", execution=None)
    assert "nothing takes its place" in subject
    assert "`mlops rollback churn --environment prod`" in text


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.booleans(), st.sampled_from([6, 7]), st.sampled_from(STATUSES)), min_size=1
    )
)
def test_whatever_was_deployed_the_target_may_be_deployed_and_can_be_gone_back_to(
    rows: list[tuple[int, bool, int, str]],
) -> None:
    approvals = FakeApprovals({version: status for version, _, _, status in rows})
    history = [
        deployment(version, execution=f"e{number}", is_rollback=back, pipeline_version=structure)
        for number, (version, back, structure, _) in enumerate(rows)
    ]
    for stage in (PROD, STAGING):
        way = way_back(stage, history[0], FakePipeline(*history), approvals)
        good = [
            one
            for one in history[1:]
            if not one.is_rollback
            and one.pipeline_version == 7
            and one.package_arn < history[0].package_arn  # one digit each
            and approvals.status(one.package_arn) in (("Approved",) if stage.approved else STATUSES[::2])
        ]
        assert way.target == (good[0] if good else None)


# The history of the pipeline, as CodePipeline tells it


def summary(execution: str, *, minutes: int, status: str = "Succeeded", back_to: str | None = None) -> Json:
    changed = NOON + timedelta(minutes=minutes)
    found: Json = {"pipelineExecutionId": execution, "status": status, "startTime": NOON, "lastUpdateTime": changed}
    if back_to:
        found |= {"executionType": "ROLLBACK", "rollbackMetadata": {"rollbackTargetPipelineExecutionId": back_to}}
    return found


def done(stage: str, action: str, *, minutes: int = 0, status: str = "Succeeded", **variables: str) -> Json:
    return {
        "stageName": stage,
        "actionName": action,
        "status": status,
        "pipelineVersion": 7,
        "lastUpdateTime": NOON + timedelta(minutes=minutes),
        "output": {"outputVariables": variables},
    }


def brought(version: int) -> Json:
    return done("Train", "Outcome", ModelPackageArn=f"{GROUP}/{version}")


class Told:
    """CodePipeline, call by call."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.stub = aws, aws.stub("codepipeline")

    def state(
        self, status: str = "Succeeded", inbound: str | None = None, latest: str = "e", kind: str = "STANDARD"
    ) -> None:
        latest_execution = {"pipelineExecutionId": latest, "status": status, "type": kind}
        stage: Json = {"stageName": "Prod", "latestExecution": latest_execution}
        if inbound:
            stage["inboundExecutions"] = [{"pipelineExecutionId": "x", "status": "InProgress", "type": inbound}]
        response = {"pipelineVersion": 7, "stageStates": [{"stageName": "Staging"}, stage]}
        self.stub.add_response("get_pipeline_state", response, {"name": "mlops-churn"})

    def executions(self, *summaries: Json) -> None:
        self.stub.add_response("list_pipeline_executions", {"pipelineExecutionSummaries": list(summaries)})

    def actions(self, execution: str, *details: Json) -> None:
        expected = {"pipelineName": "mlops-churn", "filter": {"pipelineExecutionId": execution}}
        self.stub.add_response("list_action_executions", {"actionExecutionDetails": list(details)}, expected)

    def pipeline(self) -> Pipeline:
        return Pipeline(self.aws.create_client("codepipeline"), name="mlops-churn", outcome="Outcome")


@pytest.fixture
def pipeline(aws: Aws) -> Told:
    return Told(aws)


def test_an_execution_that_overtook_another_one_counts_by_the_end_of_its_stage(pipeline: Told) -> None:
    # e1 waited for its approval, was overtaken by a rollback, and deployed after it.
    pipeline.executions(summary("r", minutes=30, back_to="e0"), summary("e1", minutes=50), summary("e0", minutes=10))
    pipeline.actions("e1", done("Prod", "Verify", minutes=50), brought(2))
    pipeline.actions("r", done("Prod", "Verify", minutes=30))
    pipeline.actions("e0", done("Prod", "Verify", minutes=10), brought(1))
    found = list(pipeline.pipeline().deployments("Prod", "Verify"))
    assert [(one.execution, one.package_arn[-1], one.is_rollback) for one in found] == [
        ("e1", "2", False),
        ("r", "1", True),
        ("e0", "1", False),
    ]


def test_an_execution_that_went_on_elsewhere_counts_by_the_end_of_its_stage(pipeline: Told) -> None:
    # e1 deployed first and then waited long for its approval.
    pipeline.executions(summary("e2", minutes=40), summary("e1", minutes=60))
    pipeline.actions("e1", done("Staging", "Verify", minutes=10), brought(1))
    pipeline.actions("e2", done("Staging", "Verify", minutes=30), brought(2))
    found = pipeline.pipeline().deployments("Staging", "Verify")
    assert [one.execution for one in found] == ["e2", "e1"]


def test_only_as_much_of_the_history_is_read_as_is_asked_for(pipeline: Told) -> None:
    pipeline.executions(summary("e2", minutes=50), summary("e1", minutes=40))
    pipeline.actions("e2", done("Prod", "Verify", minutes=50), brought(2))
    assert next(pipeline.pipeline().deployments("Prod", "Verify")).execution == "e2"


@pytest.mark.parametrize(
    "actions",
    [
        [done("Prod", "Verify", status="Failed"), done("Prod", "Verify"), brought(2)],
        [done("Prod", "Execute"), brought(2)],
        [done("Staging", "Verify"), brought(2)],
        [done("Prod", "Verify")],
        [],
    ],
    ids=["the last attempt failed", "stopped before", "another stage", "no package", "nothing yet"],
)
def test_what_did_not_deploy_a_version_is_no_deployment(pipeline: Told, actions: list[Json]) -> None:
    pipeline.executions(summary("e2", minutes=50, status="InProgress"))
    pipeline.actions("e2", *actions)
    assert list(pipeline.pipeline().deployments("Prod", "Verify")) == []


@pytest.mark.parametrize(
    ("status", "inbound", "busy"),
    [
        ("Succeeded", None, False),
        ("Failed", "STANDARD", False),
        ("InProgress", None, True),
        ("Stopping", None, True),
        ("Succeeded", "ROLLBACK", True),
    ],
)
def test_a_stage_is_busy_while_somebody_is_in_it_or_rolls_it_back(
    pipeline: Told, status: str, inbound: str | None, *, busy: bool
) -> None:
    pipeline.state(status, inbound)
    assert pipeline.pipeline().is_busy("Prod") is busy


@pytest.mark.parametrize(
    ("status", "kind", "version"), [("Failed", "ROLLBACK", 1), ("Failed", "STANDARD", 0), ("Succeeded", "ROLLBACK", 0)]
)
def test_a_rollback_that_failed_last_is_known_by_the_version_of_its_target(
    pipeline: Told, status: str, kind: str, version: int
) -> None:
    pipeline.state(status, latest="r", kind=kind)
    if version:
        pipeline.executions(summary("r", minutes=30, status="Failed", back_to="e1"), summary("e1", minutes=10))
        pipeline.actions("e1", brought(version))
    failed = pipeline.pipeline().failed_rollback("Prod")
    assert (failed.package_arn[-1] if failed else "0") == str(version)


@pytest.mark.parametrize(
    ("code", "text", "raised"),
    [
        ("UnableToRollbackStageException", "the stage is currently running", StageBusy),
        ("ConflictException", "the pipeline is busy", StageBusy),
        ("UnableToRollbackStageException", "it did not succeed there", Exception),
        ("PipelineExecutionOutdatedException", "outdated", Exception),
    ],
)
def test_only_a_refusal_that_passes_is_waited_for(pipeline: Told, code: str, text: str, raised: type) -> None:
    pipeline.stub.add_client_error("rollback_stage", code, text)
    with pytest.raises(raised, match=text) as error:
        pipeline.pipeline().roll_back("Prod", to="e1")
    assert isinstance(error.value, StageBusy) is (raised is StageBusy)


# The function


@pytest.fixture
def world(moto: Aws, monkeypatch: pytest.MonkeyPatch) -> Told:
    table = {
        "TableName": "starts",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    moto.create_client("dynamodb").create_table(**table)
    stages = [{"name": "Prod", "last_action": "Verify", "approved": True}]
    for name, value in {
        "PIPELINE_NAME": "mlops-churn",
        "OUTCOME_ACTION": "Outcome",
        "STAGES": json.dumps(stages),
        "MODEL": "churn",
        "TOPIC_ARN": TOPIC,
        "IDEMPOTENCY_TABLE": "starts",
    }.items():
        monkeypatch.setenv(name, value)
    handler._store.cache_clear()  # noqa: SLF001 - it holds the client of the test before
    return Told(moto)


def packages(aws: Aws, **statuses: str) -> None:
    """Expect questions about packages, by v<number>, in this order."""
    for version, status in statuses.items():
        arn = f"{GROUP}/{version[1:]}"
        response = {
            "ModelPackageName": "mlops-churn",
            "ModelPackageArn": arn,
            "CreationTime": NOON,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
            "ModelApprovalStatus": status,
        }
        aws.stub("sagemaker").add_response("describe_model_package", response, {"ModelPackageName": arn})


def history(told: Told) -> None:
    told.state()
    told.executions(summary("e2", minutes=50), summary("e1", minutes=40))
    told.actions("e2", done("Prod", "Verify", minutes=50), brought(2))


def older(told: Told) -> None:
    told.actions("e1", done("Prod", "Verify", minutes=40), brought(1))


def test_a_rejected_version_is_left_once_however_often_it_is_told(
    world: Told, event_of: Callable[..., Json], context: Context
) -> None:
    history(world)
    packages(world.aws, v2="Rejected", v1="Approved")
    older(world)
    asked = {"pipelineName": "mlops-churn", "stageName": "Prod", "targetPipelineExecutionId": "e1"}
    world.stub.add_response("rollback_stage", {"pipelineExecutionId": "r"}, asked)
    message = {"TopicArn": TOPIC, "Subject": "churn in prod: back to version 1", "Message": Containing(("version 1",))}
    world.aws.stub("sns").add_response("publish", {}, message)
    first = handler.handle(event_of("roll_back"), context)
    history(world)  # as long as the rollback has not begun
    packages(world.aws, v2="Rejected")
    assert handler.handle(event_of("roll_back"), context) == first
    assert "goes back to version 1 in execution r" in first["Prod"]


def test_without_anything_to_go_back_to_people_are_told(
    world: Told, event_of: Callable[..., Json], context: Context
) -> None:
    history(world)
    packages(world.aws, v2="Rejected", v1="Rejected")
    older(world)
    subject = "churn in prod: version 2 is rejected and nothing takes its place"
    message = {"TopicArn": TOPIC, "Subject": subject, "Message": Containing(("1 is Rejected", "mlops rollback churn"))}
    world.aws.stub("sns").add_response("publish", {}, message)
    handler.handle(event_of("roll_back"), context)


def test_a_rollback_that_somebody_was_quicker_with_is_tried_at_its_end(
    world: Told, event_of: Callable[..., Json], context: Context
) -> None:
    for answer in ("the stage is currently running", None):
        history(world)
        packages(world.aws, v2="Rejected", v1="Approved")
        older(world)
        if answer:
            world.stub.add_client_error("rollback_stage", "UnableToRollbackStageException", answer)
            assert answer in handler.handle(event_of("roll_back"), context)["Prod"]
    world.stub.add_response("rollback_stage", {"pipelineExecutionId": "r"})
    world.aws.stub("sns").add_response("publish", {})
    stage_ended = {"detail-type": "CodePipeline Stage Execution State Change", "detail": {"stage": "Prod"}}
    assert "execution r" in handler.handle(stage_ended, context)["Prod"]


def test_the_end_of_a_stage_concerns_that_stage_only(world: Told, context: Context) -> None:
    event = {"detail-type": "CodePipeline Stage Execution State Change", "detail": {"stage": "Build"}}
    assert handler.handle(event, context) == {}
    assert world.aws is not None


@pytest.mark.parametrize("stages", ["", "[]", '[{"name": "Prod"}]'])
def test_stages_that_are_no_stages_are_refused(
    world: Told, stages: str, event_of: Callable[..., Json], context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    monkeypatch.setenv("STAGES", stages)
    with pytest.raises(EventError, match="STAGES"):
        handler.handle(event_of("roll_back"), context)


def test_a_package_that_is_gone_has_no_status(aws: Aws) -> None:
    gone = f"ModelPackage {GROUP}/1 does not exist."
    aws.stub("sagemaker").add_client_error("describe_model_package", "ValidationException", gone)
    assert ApprovalStatuses(aws.create_client("sagemaker")).status(f"{GROUP}/1") is None
    aws.stub("sagemaker").add_client_error("describe_model_package", "AccessDeniedException", "no")
    with pytest.raises(Exception, match="no"):
        ApprovalStatuses(aws.create_client("sagemaker")).status(f"{GROUP}/1")
