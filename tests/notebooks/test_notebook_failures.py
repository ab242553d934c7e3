"""What goes wrong stops the notebook in the cell where it went wrong, with the reason."""

from __future__ import annotations

from pathlib import Path

from mlops.rehearsal import credentials
from mlops.rehearsal.faults import FAULTS, Fault
from tests.notebooks.executed_notebook import execute
from tests.notebooks.sandbox_world import Sandbox


def test_a_training_that_fails_stops_it_with_the_reason(sandbox: Sandbox) -> None:
    FAULTS.activate(Fault.TRAINING_FAILURE)
    notebook = sandbox.execute()
    cell, kind, reason = notebook.error() or ("", "", "")
    assert (cell, kind) == ("training", "FailedStatusError")
    assert "AlgorithmError" in reason
    assert not notebook.reached("scoring")
    assert sandbox.left_over() == []


def test_a_model_that_learned_nonsense_is_not_deployed(sandbox: Sandbox) -> None:
    notebook = sandbox.execute({'upload(train, "train")': 'upload(train.assign(rings=30 - train["rings"]), "train")'})
    cell, _, reason = notebook.error() or ("", "", "")
    assert cell == "enough"
    assert "not better than always answering" in reason
    assert credentials.client("sagemaker").list_endpoints()["Endpoints"] == []


def test_an_endpoint_that_answers_nonsense_is_taken_down_and_then_named(sandbox: Sandbox) -> None:
    FAULTS.activate(Fault.WRONG_ANSWERS)
    notebook = sandbox.execute()
    cell, _, reason = notebook.error() or ("", "", "")
    assert cell == "verdict-of-the-run"
    assert "the endpoint is not the model that was examined" in reason
    assert sandbox.left_over() == []


def test_a_machine_that_the_sandbox_does_not_permit_is_refused(sandbox: Sandbox) -> None:
    changes = {'INSTANCE_TYPE = "ml.m5.large"': 'INSTANCE_TYPE = "ml.p4d.24xlarge"'}
    cell, _, reason = sandbox.execute(changes).error() or ("", "", "")
    assert cell == "training"
    assert "not authorized to perform: sagemaker:CreateTrainingJob" in reason


def test_outside_a_sandbox_it_asks_for_what_is_missing(tmp_path: Path) -> None:
    executed = execute(tmp_path, {"SANDBOX_BUCKET": "a-bucket", "AWS_DEFAULT_REGION": "eu-west-1"})
    cell, kind, reason = executed.error() or ("", "", "")
    assert (cell, kind) == ("settings", "ValueError")
    assert reason.startswith("KEY_ARN, ROLE_ARN: not set")
    assert "set SANDBOX_KEY_ARN before you start" in reason
