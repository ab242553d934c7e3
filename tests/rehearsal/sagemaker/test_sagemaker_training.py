from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.images import Metric
from mlops.rehearsal.timeline import TIMELINE, Kind

TRAIN = """
import json, os, pathlib
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
rows = (base / "input/data/train/a.csv").read_text().splitlines()
parameters = json.loads((base / "input/config/hyperparameters.json").read_text())
channels = json.loads((base / "input/config/inputdataconfig.json").read_text())
resources = json.loads((base / "input/config/resourceconfig.json").read_text())
for round in range(int(parameters.get("rounds", 2))):
    print(f"[{round}]\\ttrain-auc:0.{round}5\\tvalidation-auc:0.{round}1")
(base / "model/model.txt").write_text(f"{len(rows)} {channels['train']['ContentType']} {resources['current_host']}")
(base / "output/data").mkdir(parents=True, exist_ok=True)
(base / "output/data/extra.txt").write_text(os.environ.get("COLOUR", ""))
"""
FOREVER = "import time\nprint('working', flush=True)\ntime.sleep(600)\n"


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_job_trains_on_its_channel_and_leaves_a_model(account: Any, image: Any) -> None:
    image(train=TRAIN)
    job = account.train(HyperParameters={"rounds": "3"}, Environment={"COLOUR": "green"})
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    files = account.archive(job["ModelArtifacts"]["S3ModelArtifacts"])
    assert files == {"model.txt": b"2 text/csv algo-1"}
    extra = job["ModelArtifacts"]["S3ModelArtifacts"].replace("model.tar.gz", "output.tar.gz")
    assert account.archive(extra) == {"extra.txt": b"green"}


def test_a_job_passes_through_the_states_of_sagemaker(account: Any, image: Any) -> None:
    image(train=TRAIN)
    job = account.train()
    states = [item["Status"] for item in job["SecondaryStatusTransitions"]]
    assert states == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert job["BillableTimeInSeconds"] >= 1


def test_the_description_of_a_job_fits_the_model_of_the_api(account: Any, image: Any) -> None:
    image(train=TRAIN)
    job = account.train(HyperParameters={"a": "b"})
    job.pop("ResponseMetadata")
    client = botocore.session.Session(profile=None).create_client(
        "sagemaker", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:  # refuses an answer that the model does not allow
        stub.add_response("describe_training_job", job)
        assert client.describe_training_job(TrainingJobName="x") == {**job}


def test_metrics_are_read_from_the_log_as_cloudwatch_shows_it(account: Any, image: Any) -> None:
    image(train=TRAIN, built_in=True, metrics=(Metric("validation:auc", r".*#011validation-auc:([0-9.]+).*"),))
    job = account.train(HyperParameters={"rounds": "4"})
    assert [(m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]] == [("validation:auc", 0.31)]
    assert job["AlgorithmSpecification"]["MetricDefinitions"][0]["Name"] == "validation:auc"


def test_log_lines_reach_cloudwatch_and_the_timeline(account: Any, image: Any) -> None:
    image(train=TRAIN)
    name = account.train()["TrainingJobName"]
    found = account.client("logs").filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs")["events"]
    lines = [line for line in found if line["logStreamName"].startswith(f"{name}/")]  # moto ignores the prefix
    assert lines[0]["message"] == "[0]#011train-auc:0.05#011validation-auc:0.01"
    told = [event.name for event in TIMELINE.events(Kind.LOG) if event.detail["source"] == name]
    assert told[0].startswith("[0]\ttrain")


def test_the_failure_file_becomes_the_failure_reason(account: Any, image: Any) -> None:
    image(
        train="import os,sys\n"
        "open(os.environ['SAGEMAKER_BASE_DIR'] + '/output/failure', 'w').write('bad data')\n"
        "sys.exit(3)"
    )
    job = account.train()
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: bad data, exit code: 3"


def test_a_job_that_runs_too_long_is_stopped(account: Any, image: Any) -> None:
    image(train=FOREVER)
    job = account.train(StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_stop_training_job_lets_the_program_save_its_model(account: Any, image: Any, waiting: Any) -> None:
    image(
        train="import os,signal,sys,time\n"
        "def save(*_):\n"
        "    open(os.environ['SAGEMAKER_BASE_DIR'] + '/model/partial', 'w').write('half')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)"
    )
    request = account.training_request()
    name = request["TrainingJobName"]
    account.sagemaker.create_training_job(**request)
    waiting(lambda: [e for e in TIMELINE.events(Kind.LOG) if e.detail["source"] == name])
    account.sagemaker.stop_training_job(TrainingJobName=name)
    job = account.ended_training(name)
    assert job["TrainingJobStatus"] == "Stopped"
    assert account.archive(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"partial": b"half"}


def test_checkpoints_are_restored_and_kept(account: Any, image: Any) -> None:
    image(
        train="import os\n"
        "folder = os.environ['SAGEMAKER_BASE_DIR'] + '/checkpoints/'\n"
        "old = open(folder + 'old').read()\n"
        "open(folder + 'new', 'w').write(old + '!')"
    )
    uri = account.put("checkpoints/old", "round 5").removesuffix("/old")
    job = account.train(
        CheckpointConfig={"S3Uri": uri},
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert account.get(f"{uri}/new") == b"round 5!"


def test_the_model_is_encrypted_with_the_key_that_was_asked_for(account: Any, image: Any) -> None:
    image(train=TRAIN)
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    job = account.train(OutputDataConfig={"S3OutputPath": f"s3://{account.bucket}/models", "KmsKeyId": key})
    path = job["ModelArtifacts"]["S3ModelArtifacts"].split("/", 3)[3]
    head = account.client("s3").head_object(Bucket=account.bucket, Key=path)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_used_name_is_refused(account: Any, image: Any) -> None:
    image(train=TRAIN)
    request = account.training_request()
    account.sagemaker.create_training_job(**request)
    with pytest.raises(ClientError) as error:
        account.sagemaker.create_training_job(**request)
    assert code_of(error) == "ResourceInUse"
    account.ended_training(request["TrainingJobName"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"TrainingJobName": "under_score"}, "regular expression pattern"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.huge", "InstanceCount": 1, "VolumeSizeInGB": 1}}, "enum value set"),
        ({"RoleArn": "arn:aws:iam::111122223333:role/nobody"}, "Could not assume role"),
        ({"AlgorithmSpecification": {"TrainingImage": "x/y:1", "TrainingInputMode": "File"}}, "represents the image"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}}, "EnableManagedSpotTraining"),
        ({"EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds"),
    ],
)
def test_requests_that_aws_refuses_are_refused(account: Any, image: Any, change: dict[str, Any], words: str) -> None:
    image(train=TRAIN)
    with pytest.raises(ClientError, match=words) as error:
        account.sagemaker.create_training_job(**account.training_request(**change))
    assert code_of(error) == "ValidationException"


def test_an_empty_channel_is_refused(account: Any, image: Any) -> None:
    image(train=TRAIN)
    request = account.training_request()
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{account.bucket}/nothing/"
    with pytest.raises(ClientError, match="No S3 objects found under S3 URL"):
        account.sagemaker.create_training_job(**request)


def test_metric_definitions_of_a_built_in_algorithm_cannot_be_overridden(account: Any, image: Any) -> None:
    uri = image(train=TRAIN, built_in=True)
    algorithm = {
        "TrainingImage": uri,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "a", "Regex": "b"}],
    }
    with pytest.raises(ClientError, match="can't override"):
        account.sagemaker.create_training_job(**account.training_request(AlgorithmSpecification=algorithm))


def test_an_unknown_job_is_not_found(account: Any) -> None:
    with pytest.raises(ClientError, match="Requested resource not found"):
        account.sagemaker.describe_training_job(TrainingJobName="nobody")


def test_jobs_are_listed_by_status_and_name(account: Any, image: Any) -> None:
    image(train="raise SystemExit(1)")
    name = account.train(TrainingJobName=account.name("listed"))["TrainingJobName"]
    listed = account.sagemaker.list_training_jobs(NameContains="listed", StatusEquals="Failed")
    assert [job["TrainingJobName"] for job in listed["TrainingJobSummaries"]] == [name]


def test_fault_training_failure_fails_with_exit_code_1(account: Any, image: Any) -> None:
    image(train=TRAIN)
    FAULTS.activate(Fault.TRAINING_FAILURE)
    job = account.train()
    assert job["FailureReason"].startswith("AlgorithmError: the training program failed")
    assert job["FailureReason"].endswith("exit code: 1")


def test_fault_capacity_error_strikes_the_first_instance_type_only(account: Any, image: Any) -> None:
    image(train=TRAIN)
    FAULTS.activate(Fault.CAPACITY_ERROR)
    resources = {"InstanceCount": 1, "VolumeSizeInGB": 5}
    first = account.train(ResourceConfig={**resources, "InstanceType": "ml.m5.large"})
    other = account.train(ResourceConfig={**resources, "InstanceType": "ml.m5.xlarge"})
    assert first["FailureReason"].startswith("CapacityError: Unable to provision requested ML compute capacity")
    assert other["TrainingJobStatus"] == "Completed"


def test_fault_throttling_answers_the_first_two_calls(account: Any, image: Any) -> None:
    image(train=TRAIN)
    client = botocore.session.Session(profile=None).create_client(
        "sagemaker",
        "eu-west-1",
        endpoint_url=account.sagemaker.meta.endpoint_url,
        aws_access_key_id="AKIAREHEARSALOPERATR",
        aws_secret_access_key="the-operator-of-the-rehearsal",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    request = account.training_request()
    FAULTS.activate(Fault.THROTTLING)
    for _ in range(2):
        with pytest.raises(ClientError) as error:
            client.create_training_job(**request)
        assert code_of(error) == "ThrottlingException"
    client.create_training_job(**request)
    assert account.ended_training(request["TrainingJobName"])["TrainingJobStatus"] == "Completed"
