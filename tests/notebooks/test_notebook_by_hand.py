"""The notebook of stage manual, executed once as a data scientist would: from data to an endpoint and back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from mlops.rehearsal import credentials
from tests.notebooks.executed_notebook import Executed
from tests.notebooks.sandbox_world import BUCKET, SECURITY_GROUPS, SUBNETS, Sandbox, opened

MEAN, EXAM, ENDPOINT = range(3)
"""The columns of the report."""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with opened(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def notebook(sandbox: Sandbox) -> Executed:
    executed = sandbox.execute()
    assert executed.error() is None
    return executed


def report(notebook: Executed, cell: str) -> dict[str, list[float]]:
    """The measures that a cell shows, by name: those of the mean, of the exam, and of the endpoint."""
    rows = re.findall(r"^(rmse|mae|r2) +(.+)$", notebook.shown(cell), re.MULTILINE)
    return {name: [float(value) for value in values.split()] for name, values in rows}


def test_the_model_is_much_better_than_guessing(notebook: Executed) -> None:
    measured = report(notebook, "verdict-of-the-run")
    assert measured["rmse"][EXAM] < 0.5 * measured["rmse"][MEAN]
    assert measured["mae"][EXAM] < 2
    assert measured["r2"][EXAM] > 0.7


def test_the_endpoint_answers_what_the_exam_answered(notebook: Executed) -> None:
    measured = report(notebook, "verdict-of-the-run")
    assert set(measured) == {"rmse", "mae", "r2"}
    assert [values[ENDPOINT] for values in measured.values()] == [values[EXAM] for values in measured.values()]


def test_the_exam_has_rows_that_the_training_did_not_see(notebook: Executed) -> None:
    assert "2100 rows to learn from, 450 to stop in time, 450 for the exam" in notebook.shown("split")
    assert "450 answers" in notebook.shown("answers")


def test_nothing_that_costs_by_the_hour_is_left(notebook: Executed, sandbox: Sandbox) -> None:
    assert "is in service" in notebook.shown("endpoint")
    assert sandbox.left_over() == []


def test_everything_it_writes_is_encrypted_with_the_key_of_the_sandbox(notebook: Executed, sandbox: Sandbox) -> None:
    assert notebook.reached("scoring")
    s3 = credentials.client("s3")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert sorted(key.rsplit("/", 1)[-1] for key in keys) == [
        *("exam.csv", "exam.csv.out", "model.tar.gz", "train.csv", "validation.csv"),
    ]
    assert {s3.head_object(Bucket=BUCKET, Key=key).get("SSEKMSKeyId") for key in keys} == {sandbox.key}


def test_its_jobs_run_in_the_network_of_the_sandbox_and_cannot_use_it(notebook: Executed) -> None:
    (name,) = re.findall(r"sandbox-abalone-\d{8}-\d{6}", notebook.shown("take-down"))
    job = credentials.client("sagemaker").describe_training_job(TrainingJobName=name)
    assert job["EnableNetworkIsolation"]
    assert job["VpcConfig"] == {"Subnets": list(SUBNETS), "SecurityGroupIds": list(SECURITY_GROUPS)}


def test_the_role_of_the_sandboxes_permits_all_of_it(notebook: Executed, sandbox: Sandbox) -> None:
    assert notebook.error() is None
    assert sandbox.denied() == []
    steps = ("CreateTrainingJob", "CreateTransformJob", "CreateModel", "CreateEndpoint", "InvokeEndpoint")
    assert {f"sagemaker:{step}" for step in steps} | {"iam:PassRole"} <= sandbox.used()


def test_it_calls_nothing_but_the_services_of_the_account(notebook: Executed) -> None:
    """Neither telemetry nor the metadata of an instance."""
    assert notebook.calls == ()
