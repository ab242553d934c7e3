"""A model that answers files, from raw data to a published batch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops.rehearsal import credentials
from mlops.rehearsal.least_privilege import denials
from mlops.rehearsal.rehearsal import Rehearsal, Run
from mlops.rehearsal.timeline import TIMELINE
from tests.conftest import ROOT
from tests.rehearsal.sagemaker.conftest import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SERVING = {
    "type": "batch",
    "instance_type": "ml.m5.large",
    "schedule": "rate(1 day)",
    "input": "churn/questions",
    "output": "churn/answers",
}
OWN = ("app.py", "config", "cdk.out")
"""What a copy of the project does not share: the application looks for the settings beside itself."""


def project(folder: Path) -> Path:
    """Make a copy of the project in which churn answers files, in dev alone."""
    for entry in ROOT.iterdir():
        if entry.name not in OWN:
            (folder / entry.name).symlink_to(entry)
    shutil.copy(ROOT / "app.py", folder / "app.py")
    shutil.copytree(ROOT / "config", folder / "config")
    path = folder / "config" / "models" / "churn.yaml"
    churn = yaml.safe_load(path.read_text())
    changed = {"serving": SERVING, "deploy": {"environments": ["dev"], "approval_before": "dev"}}
    path.write_text(yaml.safe_dump(churn | changed, sort_keys=False))
    environments = folder / "config" / "environments.yaml"
    known = yaml.safe_load(environments.read_text())
    for environment in known.values():
        if isinstance(environment, dict):
            environment.pop("api", None)
    environments.write_text(yaml.safe_dump(known, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    TIMELINE.reset()
    with Rehearsal("churn", approver=lambda _: True, root=project(tmp_path_factory.mktemp("project"))) as running:
        yield running


@pytest.fixture(scope="module")
def run(rehearsal: Rehearsal) -> Run:
    return rehearsal.run(rehearsal.sample(version=1))


@pytest.fixture(scope="module")
def batch(rehearsal: Rehearsal, run: Run) -> Callable[[str], dict[str, Any]]:
    """Run one batch, as its schedule does."""
    assert run.status == "Succeeded", run.failure()
    states = credentials.client("stepfunctions")
    machines = states.list_state_machines()["stateMachines"]
    (machine,) = (one["stateMachineArn"] for one in machines if one["name"] == "mlops-churn-dev-batches")

    def running(name: str) -> dict[str, Any]:
        arn = states.start_execution(stateMachineArn=machine, name=name)["executionArn"]

        def ended() -> Any:
            found = states.describe_execution(executionArn=arn)
            return found if found["status"] != "RUNNING" else None

        execution: dict[str, Any] = wait_for(ended, seconds=120)
        return execution

    del rehearsal
    return running


def test_the_version_that_was_trained_answers_batches(run: Run) -> None:
    assert (run.status, run.failure()) == ("Succeeded", None)
    record = run.documents["deployments/dev.json"]
    assert record["passed"]
    assert {"predictions", "metric-auc"} <= {check["name"] for check in record["checks"]}


def test_raw_rows_are_answered_once_and_published_together(
    rehearsal: Rehearsal, run: Run, batch: Callable[[str], dict[str, Any]]
) -> None:
    s3, bucket = credentials.client("s3"), rehearsal.data_bucket
    _, rows = rehearsal.test_rows(run.execution_id, 40)
    for name, part in (("a.csv", rows), ("later/b.csv", rows[:3])):
        body = "".join(f"{row}\n" for row in part)
        s3.put_object(Bucket=bucket, Key=f"churn/questions/dev/{name}", Body=body.encode())
    assert batch("first")["status"] == "SUCCEEDED"
    manifest = json.loads(s3.get_object(Bucket=bucket, Key="churn/answers/dev/manifests/first.json")["Body"].read())
    answers = manifest["answers"]["churn/questions/dev/a.csv"]
    given = s3.get_object(Bucket=bucket, Key=answers)["Body"].read().decode().split()
    found = s3.get_object(
        Bucket=rehearsal.artifact_bucket, Key=f"churn/runs/{run.execution_id}/evaluation/predictions.csv"
    )
    lines = found["Body"].read().decode().splitlines()[1:41]
    expected = [float(line.split(",")[2]) for line in lines]
    assert [float(one) for one in given] == pytest.approx(expected, abs=1e-6)
    assert json.loads(batch("second")["output"])["found"] is False


def test_a_file_that_cannot_be_answered_is_told_and_never_published(
    rehearsal: Rehearsal, batch: Callable[[str], dict[str, Any]]
) -> None:
    s3, bucket = credentials.client("s3"), rehearsal.data_bucket
    s3.put_object(Bucket=bucket, Key="churn/questions/dev/broken.csv", Body=b"nonsense,1\n")
    assert batch("third")["error"] == "TransformFailed"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="churn/answers/dev/manifests/")["Contents"]
    assert [one["Key"].rpartition("/")[2] for one in listed] == ["first.json"]
    assert wait_for(lambda: any('"failed": "third"' in one for one in rehearsal.notifications()))


def test_no_permission_was_missing(rehearsal: Rehearsal, batch: Callable[[str], dict[str, Any]]) -> None:
    del batch
    assert denials(rehearsal.assembly_dir(), rehearsal.deployed_stacks()) == []
