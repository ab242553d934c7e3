"""The whole rehearsal of a bring-your-own-container model: built, scanned, trained, judged, served, and once per fault.

The order matters and is that of the file: the first run puts a champion into service, the faulty ones must not harm it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

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
    with Rehearsal("iris", approver=lambda _: True) as running:
        yield running


@pytest.fixture(scope="module")
def first(rehearsal: Rehearsal) -> Run:
    return rehearsal.run(rehearsal.sample(version=1))


@pytest.fixture(scope="module")
def retrained(rehearsal: Rehearsal, first: Run) -> Run:
    """New data, the same code."""
    assert first.status == "Succeeded", first.failure()
    return rehearsal.run(rehearsal.sample(version=2))


def build_logs(since: float) -> list[str]:
    return [event.name for event in TIMELINE.events(Kind.LOG) if event.at >= since and "Image" in str(event.detail)]


def image_of(run: Run) -> str:
    return str(run.documents["registration.json"]["imageUri"])


def test_a_new_account_ends_with_a_verified_model_in_every_environment(first: Run) -> None:
    assert first.failure() is None
    assert [first.documents[f"deployments/{one}.json"]["passed"] for one in ("dev", "staging", "prod")] == [True] * 3


def test_the_digest_that_was_scanned_is_the_one_that_trained_scored_and_serves(
    rehearsal: Rehearsal, first: Run
) -> None:
    image = image_of(first)
    assert "@sha256:" in image
    assert first.documents["decisions/security.json"]["passed"]
    client = rehearsal._client("sagemaker")  # noqa: SLF001 - what an operator would ask
    job = client.describe_training_job(TrainingJobName=first.documents["registration.json"]["trainingJobName"])
    assert job["AlgorithmSpecification"]["TrainingImage"] == image
    for target in rehearsal.environments:
        endpoint = client.describe_endpoint(EndpointName=rehearsal.endpoint(target))
        configuration = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = client.describe_model(ModelName=configuration["ProductionVariants"][0]["ModelName"])
        assert model["PrimaryContainer"]["Image"] == image


def test_no_model_is_left_behind_by_the_scoring(rehearsal: Rehearsal, first: Run) -> None:
    del first
    names = [one["ModelName"] for one in rehearsal._client("sagemaker").list_models()["Models"]]  # noqa: SLF001
    assert [name for name in names if "contender" in name] == []


def test_the_endpoint_answers_as_the_model_was_evaluated(rehearsal: Rehearsal, first: Run) -> None:
    labels, rows = rehearsal.test_rows(first.execution_id, count=30)
    answers = [
        [float(share) for share in line.split(",")] for line in rehearsal.predict("prod", "\n".join(rows)).split()
    ]
    right = sum(answer.index(max(answer)) == int(float(label)) for label, answer in zip(labels, answers, strict=True))
    assert right / len(rows) > 0.8


def test_no_role_was_denied_anything(rehearsal: Rehearsal, first: Run) -> None:
    record = record_run(rehearsal, first)
    assert record.calls > 100
    assert [denial for role in record.roles for denial in role.denied] == []


def test_the_report_says_how_the_image_was_represented(rehearsal: Rehearsal, first: Run) -> None:
    record = record_run(rehearsal, first)
    assert [image.uri for image in record.images] == [image_of(first)]
    page = render(record)
    assert record.images[0].rung in page
    assert "The security gate" in page


def test_a_retrain_on_new_data_builds_nothing(first: Run, retrained: Run) -> None:
    assert retrained.status == "Succeeded", retrained.failure()
    assert image_of(retrained) == image_of(first)
    assert (
        retrained.documents["registration.json"]["dataVersion"] != first.documents["registration.json"]["dataVersion"]
    )
    assert retrained.documents["evaluation/evaluation.json"]["champion"] is not None
    assert pushes() == 1


def pushes() -> int:
    """Return how many images were put into the repository."""
    from mlops.rehearsal import credentials  # noqa: PLC0415 - after the rehearsal has cleaned the environment

    found: list[Any] = credentials.client("ecr").describe_images(repositoryName="mlops-iris")["imageDetails"]
    return len(found)


@pytest.fixture(scope="module")
def faulty(rehearsal: Rehearsal, retrained: Run) -> Callable[[Fault], Run]:
    assert retrained.status == "Succeeded"
    runs: dict[Fault, Run] = {}

    def run(fault: Fault) -> Run:
        if fault not in runs:
            runs[fault] = rehearsal.run(rehearsal.sample(version=2, fault=fault), fault=fault)
        return runs[fault]

    return run


@pytest.mark.parametrize(
    "fault",
    [
        Fault.IMAGE_BUILD_FAILURE,
        Fault.CRITICAL_FINDING,
        Fault.TRAINING_FAILURE,
        Fault.SERVE_UNHEALTHY,
        Fault.SERVE_DIES,
    ],
)
def test_a_fault_stops_the_pipeline_with_its_cause_and_spares_the_champion(
    rehearsal: Rehearsal, retrained: Run, faulty: Callable[[Fault], Run], fault: Fault
) -> None:
    run = faulty(fault)
    assert shortcomings(EXPECTED[fault], run) == [], run.failure()
    assert still_serving(rehearsal, retrained) == []


def test_a_finding_is_named_with_its_severity(faulty: Callable[[Fault], Run]) -> None:
    decision = faulty(Fault.CRITICAL_FINDING).documents["decisions/security.json"]
    assert not decision["passed"]
    assert "CVE-" in decision["summary"]


def test_every_permission_is_used_by_some_run_or_explained(
    rehearsal: Rehearsal, faulty: Callable[[Fault], Run]
) -> None:
    faulty(Fault.SERVE_DIES)
    uses = role_uses(rehearsal.assembly_dir(), rehearsal.deployed_stacks())
    assert unexplained(uses) == []
