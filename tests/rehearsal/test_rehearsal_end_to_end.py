"""The whole rehearsal, as `mlops rehearse` runs it: once green and once for each fault, in one emulated account.

The order matters and is that of the file: the first run puts a champion into service, the faulty ones must not harm it,
the last one replaces it. Each run is a fixture, so that each of its effects is a test of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from mlops.rehearsal.expectations import EXPECTED
from mlops.rehearsal.faults import Fault
from mlops.rehearsal.least_privilege import role_uses, unexplained
from mlops.rehearsal.recording import record_run, shortcomings, still_serving
from mlops.rehearsal.rehearsal import Rehearsal, Run
from mlops.rehearsal.timeline import TIMELINE, Kind
from mlops.report.html import render

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    TIMELINE.reset()
    with Rehearsal("churn", approver=lambda _: True) as running:
        yield running


@pytest.fixture(scope="module")
def first(rehearsal: Rehearsal) -> Run:
    """The first run of a new account, with every SageMaker call throttled twice: retries are part of the green path."""
    return rehearsal.run(rehearsal.sample(version=1), fault=Fault.THROTTLING)


@pytest.fixture(scope="module")
def faulty(rehearsal: Rehearsal, first: Run) -> Callable[[Fault], Run]:
    assert first.status == "Succeeded"
    runs: dict[Fault, Run] = {}

    def run(fault: Fault) -> Run:
        if fault not in runs:
            runs[fault] = rehearsal.run(rehearsal.sample(version=2, fault=fault), fault=fault)
        return runs[fault]

    return run


def test_a_new_account_ends_with_a_verified_model_in_every_environment(first: Run) -> None:
    assert first.failure() is None
    assert first.status == "Succeeded"
    assert [first.documents[f"deployments/{one}.json"]["passed"] for one in ("dev", "staging", "prod")] == [True] * 3
    assert first.documents["evaluation/evaluation.json"]["champion"] is None


def test_throttled_calls_were_tried_again(first: Run) -> None:
    throttled = [event.detail["at"] for event in TIMELINE.events(Kind.FAULT) if event.name == Fault.THROTTLING]
    assert any("TrainingJob" in str(at) for at in throttled)
    assert shortcomings(EXPECTED[Fault.THROTTLING], first) == []


def test_the_endpoint_answers_as_the_model_was_evaluated(rehearsal: Rehearsal, first: Run) -> None:
    labels, rows = rehearsal.test_rows(first.execution_id, count=400)
    answers = [float(answer) for answer in rehearsal.predict("prod", "\n".join(rows)).split()]
    right = sum((answer > 0.5) == (label == "1") for label, answer in zip(labels, answers, strict=True))
    assert right / len(rows) > 0.8


def test_no_role_was_denied_anything(rehearsal: Rehearsal, first: Run) -> None:
    record = record_run(rehearsal, first)
    assert record.calls > 100
    assert [denial for role in record.roles for denial in role.denied] == []


def test_the_approval_and_the_lineage_are_on_record(first: Run) -> None:
    registration = first.documents["registration.json"]
    assert registration["dataVersion"]
    assert registration["codeVersion"]
    assert registration["imageUri"].endswith("sagemaker-xgboost:3.0-5")
    assert "operator" in str(first.documents["approval.json"])


def test_the_report_shows_the_run_and_needs_no_network(rehearsal: Rehearsal, first: Run) -> None:
    page = render(record_run(rehearsal, first))
    for text in ("AUC", "Prod", first.execution_id, "not rehearsed"):
        assert text.lower() in page.lower()
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?https?:""", page)
    assert "<script" not in page


@pytest.mark.parametrize(
    "fault",
    [
        Fault.BLANK_LABEL,
        Fault.TRAINING_FAILURE,
        Fault.LAMBDA_CRASH,
        Fault.WORSE_CHALLENGER,
        Fault.WRONG_ANSWERS,
        Fault.SILENT_ROLLBACK,
    ],
)
def test_a_fault_stops_the_pipeline_with_its_cause_and_spares_the_champion(
    rehearsal: Rehearsal, first: Run, faulty: Callable[[Fault], Run], fault: Fault
) -> None:
    run = faulty(fault)
    assert shortcomings(EXPECTED[fault], run) == [], run.failure()
    assert still_serving(rehearsal, first) == []


def test_a_failure_reaches_the_notification_topic_with_its_cause(
    rehearsal: Rehearsal, faulty: Callable[[Fault], Run]
) -> None:
    faulty(Fault.BLANK_LABEL)
    messages = rehearsal.notifications()
    assert any("DataGateFailed" in message and "line" in message for message in messages), messages


def test_no_event_was_lost(rehearsal: Rehearsal, faulty: Callable[[Fault], Run]) -> None:
    faulty(Fault.LAMBDA_CRASH)
    assert rehearsal.dead_letters() == 0


def test_without_capacity_the_next_instance_type_trains_and_a_better_model_is_promoted(
    rehearsal: Rehearsal, faulty: Callable[[Fault], Run]
) -> None:
    before = rehearsal.serving("prod")
    run = faulty(Fault.CAPACITY_ERROR)
    assert shortcomings(EXPECTED[Fault.CAPACITY_ERROR], run) == [], run.failure()
    assert run.documents["registration.json"]["trainingJobName"].endswith("-1")
    assert run.documents["evaluation/evaluation.json"]["champion"]["comparison"]["low"] > 0
    assert rehearsal.serving("prod") != before


@pytest.mark.usefixtures("first")
def test_an_event_that_is_delivered_twice_starts_one_execution(rehearsal: Rehearsal) -> None:
    """With data that the first gate stops, so that the test is short: what counts is how many executions start."""
    run = rehearsal.run(rehearsal.sample(version=2, fault=Fault.BLANK_LABEL), fault=Fault.DUPLICATE_EVENT)
    assert run.executions_started == 1
    delivered = [event for event in TIMELINE.events(Kind.FAULT) if event.name == Fault.DUPLICATE_EVENT]
    assert delivered
    action, cause = run.failure() or ("nothing", "")
    assert action == "Train/Train"
    assert "DataGateFailed" in cause


def test_every_permission_is_used_by_some_run_or_explained(
    rehearsal: Rehearsal, faulty: Callable[[Fault], Run]
) -> None:
    faulty(Fault.CAPACITY_ERROR)
    uses = role_uses(rehearsal.assembly_dir(), rehearsal.deployed_stacks())
    assert unexplained(uses) == []
    assert [denied for use in uses for denied in use.denied] == []
