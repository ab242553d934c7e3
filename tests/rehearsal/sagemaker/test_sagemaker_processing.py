from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from mlops.rehearsal import sagemaker_programs

PROGRAM = """
import os, sys
rows = open("/opt/ml/processing/input/raw/a.csv").read().splitlines()
os.makedirs("/opt/ml/processing/output/report", exist_ok=True)
open("/opt/ml/processing/output/report/rows.txt", "w").write(f"{len(rows)} {sys.argv[1]} {os.environ['COLOUR']}")
print(sys.executable)
"""


def request(account: Any, image: str, program: str = PROGRAM, **changes: Any) -> dict[str, Any]:
    def source(name: str, uri: str, path: str) -> dict[str, Any]:
        location = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
        return {"InputName": name, "S3Input": location}

    account.put("raw/a.csv", "1\n2\n3\n")
    output = {
        "S3Uri": f"s3://{account.bucket}/processed/report",
        "LocalPath": "/opt/ml/processing/output/report",
        "S3UploadMode": "EndOfJob",
    }
    return {
        "ProcessingJobName": account.name("processing"),
        "RoleArn": account.role,
        "AppSpecification": {
            "ImageUri": image,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/program.py"],
            "ContainerArguments": ["prepare"],
        },
        "Environment": {"COLOUR": "green"},
        "ProcessingInputs": [
            source("raw", f"s3://{account.bucket}/raw/", "/opt/ml/processing/input/raw"),
            source("code", account.put("code/program.py", program), "/opt/ml/processing/input/code"),
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "report", "S3Output": output}]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
        },
        **changes,
    }


def run(account: Any, waiting: Any, **asked: Any) -> dict[str, Any]:
    account.sagemaker.create_processing_job(**asked)

    def ended() -> Any:
        job = account.sagemaker.describe_processing_job(ProcessingJobName=asked["ProcessingJobName"])
        return job if job["ProcessingJobStatus"] not in {"InProgress", "Stopping"} else None

    answer: dict[str, Any] = waiting(ended)
    return answer


def test_a_program_that_knows_only_opt_ml_runs_with_our_own_interpreter(account: Any, image: Any, waiting: Any) -> None:
    job = run(account, waiting, **request(account, image(train="x")))
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert account.get(f"s3://{account.bucket}/processed/report/rows.txt") == b"3 prepare green"
    lines = account.client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=job["ProcessingJobName"]
    )["events"]
    assert lines[0]["message"] == sys.executable


def test_nobody_else_sees_the_mounted_folder(account: Any, image: Any, waiting: Any) -> None:
    folder = Path("/opt/ml")
    before = sorted(folder.iterdir()) if folder.is_dir() else None
    run(account, waiting, **request(account, image(train="x")))
    assert (sorted(folder.iterdir()) if folder.is_dir() else None) == before


def test_without_namespaces_paths_in_arguments_are_rewritten(
    account: Any, image: Any, waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sagemaker_programs, "namespace", lambda: None)
    program = (
        "import pathlib, sys\n"
        "base = pathlib.Path(sys.argv[1])\n"
        "rows = (base / 'input/raw/a.csv').read_text().splitlines()\n"
        "(base / 'output/report/rows.txt').write_text(f'rewritten {len(rows)}')"
    )
    asked = request(account, image(train="x"), program)
    asked["AppSpecification"]["ContainerArguments"] = ["/opt/ml/processing"]
    job = run(account, waiting, **asked)
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert account.get(f"s3://{account.bucket}/processed/report/rows.txt") == b"rewritten 3"


def test_the_message_file_becomes_the_exit_message(account: Any, image: Any, waiting: Any) -> None:
    program = "import sys\nopen('/opt/ml/output/message', 'w').write('no rows')\nsys.exit(1)"
    job = run(account, waiting, **request(account, image(train="x"), program))
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information, exit code: 1"
    assert job["ExitMessage"] == "no rows"


def test_the_description_of_a_job_fits_the_model_of_the_api(account: Any, image: Any, waiting: Any) -> None:
    job = run(account, waiting, **request(account, image(train="x")))
    job.pop("ResponseMetadata")
    client = botocore.session.Session(profile=None).create_client(
        "sagemaker", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:  # refuses an answer that the model does not allow
        stub.add_response("describe_processing_job", job)
        assert client.describe_processing_job(ProcessingJobName="x") == job


def test_a_stopped_job_leaves_nothing_running(account: Any, image: Any, waiting: Any) -> None:
    asked = request(account, image(train="x"), "import time\ntime.sleep(600)")
    name = asked["ProcessingJobName"]
    account.sagemaker.create_processing_job(**asked)
    account.sagemaker.stop_processing_job(ProcessingJobName=name)
    assert waiting(
        lambda: account.sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Stopped"
    )


def test_an_input_without_objects_fails_the_job(account: Any, image: Any, waiting: Any) -> None:
    asked = request(account, image(train="x"))
    asked["ProcessingInputs"][0]["S3Input"]["S3Uri"] = f"s3://{account.bucket}/nothing"
    assert "No S3 objects found" in run(account, waiting, **asked)["FailureReason"]


def test_an_unknown_job_is_not_found(account: Any) -> None:
    with pytest.raises(ClientError, match="Could not find requested job with name: nobody"):
        account.sagemaker.describe_processing_job(ProcessingJobName="nobody")
