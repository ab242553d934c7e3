"""The whole rehearsal in four accounts and two regions: a candidate that is handed over reaches production.

In the order of the file: first with a statement of a policy between accounts missing, which stops the run each time
and is named; then whole, with a second candidate that has to beat the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlops.rehearsal import credentials
from mlops.rehearsal.least_privilege import role_uses, unexplained
from mlops.rehearsal.missing_statement import UnknownStatementError, used_by
from mlops.rehearsal.recording import record_run
from mlops.rehearsal.rehearsal import Rehearsal, Run
from mlops.rehearsal.timeline import TIMELINE
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
FAR = "eu-central-1"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with an account for each duty, and production in a region of its own."""
    settings = yaml.safe_load((ROOT / "config" / "accounts.example.yaml").read_text())
    settings["prod"]["region"] = FAR
    path = tmp_path_factory.mktemp("accounts") / "environments.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture(scope="module")
def rehearsal(environments: Path) -> Iterator[Rehearsal]:
    TIMELINE.reset()
    with Rehearsal("abalone", approver=lambda _: True, environments=environments) as running:
        yield running


def shortened(data: str, rows: int) -> str:
    """The data without its last rows: another candidate."""
    return "\n".join(data.splitlines()[:-rows]) + "\n"


MISSING = {
    "DataScienceAnnounces": ("NotStarted", "events:PutEvents"),
    "model-package-group:mlops-abalone-candidates/IntakeReadsCandidates": (
        "NotStarted",
        "sagemaker:DescribeModelPackage",
    ),
    "trust:mlops-staging-pipeline/#1": ("Failed", "sts:AssumeRole"),
}


@pytest.mark.parametrize(("name", "end"), MISSING.items())
def test_a_missing_statement_stops_the_run_and_is_named(rehearsal: Rehearsal, name: str, end: tuple[str, str]) -> None:
    rows = 1 + list(MISSING).index(name)
    run = rehearsal.run_without(name, shortened(rehearsal.sample(version=1), rows))
    status, action = end
    assert run.status == status
    assert any(action in one for one in run.broken), run.broken
    record = record_run(rehearsal, run)
    assert record.fault is not None
    assert record.as_intended, record.fault
    assert name in record.fault.name
    assert action in record.fault.observed
    assert rehearsal.serving("prod") is None


def test_a_statement_that_does_not_exist_is_refused(rehearsal: Rehearsal) -> None:
    with pytest.raises(UnknownStatementError, match="did you mean 'TargetsReadArtifact"):
        rehearsal.run_without("TargetsReadArtifact", "")


@pytest.fixture(scope="module")
def first(rehearsal: Rehearsal) -> Run:
    return rehearsal.run(rehearsal.sample(version=1))


@pytest.fixture(scope="module")
def second(rehearsal: Rehearsal, first: Run) -> Run:
    assert first.status == "Succeeded"
    return rehearsal.run(rehearsal.sample(version=2))


def test_a_candidate_reaches_production_in_its_own_account_and_region(rehearsal: Rehearsal, first: Run) -> None:
    assert first.failure() is None
    assert first.status == "Succeeded"
    assert [first.documents[f"deployments/{one}.json"]["passed"] for one in ("staging", "prod")] == [True, True]
    prod = rehearsal.settings.environments.prod
    client = credentials.client("sagemaker", account=prod.account, region=FAR)
    (endpoint,) = client.list_endpoints()["Endpoints"]
    assert endpoint["EndpointName"] == "mlops-abalone-prod"
    (model,) = client.list_models()["Models"]
    container = client.describe_model(ModelName=model["ModelName"])["PrimaryContainer"]
    assert container["ModelDataUrl"].startswith(f"s3://mlops-artifacts-111122223333-{FAR}/abalone/runs/")
    assert f".{FAR}." in container["Image"]


def test_nothing_is_deployed_where_the_candidate_was_made(rehearsal: Rehearsal, first: Run) -> None:
    assert first.status == "Succeeded"
    for account in ("444455556666", "111122223333"):
        assert credentials.client("sagemaker", account=account).list_endpoints()["Endpoints"] == []
    del rehearsal


def test_the_endpoint_answers_as_the_candidate_was_measured(rehearsal: Rehearsal, first: Run) -> None:
    labels, rows = rehearsal.test_rows(first.execution_id, count=200)
    answers = [float(answer) for answer in rehearsal.predict("prod", "\n".join(rows)).split()]
    squares = [(answer - float(label)) ** 2 for answer, label in zip(answers, labels, strict=True)]
    assert (sum(squares) / len(squares)) ** 0.5 < 3.2  # rings: the ceiling of the settings


def test_the_registry_knows_who_handed_the_model_over(first: Run) -> None:
    registration = first.documents["registration.json"]
    assert ":444455556666:model-package/mlops-abalone-candidates/" in registration["candidate"]
    assert ":444455556666:" in registration["trainedBy"]


def test_what_the_data_scientist_measured_was_measured_again(first: Run) -> None:
    checks = {check["name"]: check for check in first.documents["decisions/metrics.json"]["checks"]}
    claimed = [name for name in checks if "claim" in name]
    assert claimed
    assert all(checks[name]["passed"] for name in claimed)


def test_a_better_candidate_beats_the_model_in_the_other_account(second: Run, first: Run) -> None:
    assert second.status == "Succeeded", second.failure()
    champion = second.documents["evaluation/evaluation.json"]["champion"]
    assert champion is not None
    prod = second.documents["deployments/prod.json"]["expected"]
    assert prod["modelDataUrl"] != first.documents["deployments/prod.json"]["expected"]["modelDataUrl"]


def test_every_permission_is_used_or_explained(rehearsal: Rehearsal, second: Run) -> None:
    assert second.status == "Succeeded"
    assert unexplained(role_uses(rehearsal.assembly_dir(), rehearsal.deployed_stacks())) == []


def test_every_statement_between_the_accounts_is_used(rehearsal: Rehearsal, second: Run) -> None:
    assert second.status == "Succeeded"
    idle = [name for name, statement in rehearsal.statements().items() if not used_by(statement)]
    assert idle == []
