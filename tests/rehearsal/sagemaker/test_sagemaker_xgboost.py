from __future__ import annotations

import random
from typing import Any

import pytest
from botocore.exceptions import ClientError

XGBOOST = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"
PARAMETERS = {
    "objective": "binary:logistic",
    "num_round": "20",
    "eval_metric": "auc",
    "max_depth": "3",
    "early_stopping_rounds": "5",
}


def rows(count: int, seed: int) -> list[tuple[int, float, float]]:
    numbers = random.Random(seed)  # noqa: S311 - data of a test
    made = []
    for _ in range(count):
        first, second = numbers.gauss(0, 1), numbers.gauss(0, 1)
        made.append((int(first + 0.2 * second > 0), first, second))
    return made


def csv(made: list[tuple[int, float, float]]) -> str:
    return "".join(f"{label},{first},{second}\n" for label, first, second in made)


def channel(account: Any, name: str, text: str) -> dict[str, Any]:
    uri = account.put(f"xgboost/{name}/{name}.csv", text)
    source = {"S3DataType": "S3Prefix", "S3Uri": uri}
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}


def transformed(account: Any, waiting: Any, model: str, text: str) -> str:
    """Return what a transform job with a model makes of `text`."""
    account.put(f"{model}/score/test.csv", text)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{account.bucket}/{model}/score"}}
    account.sagemaker.create_transform_job(
        TransformJobName=model,
        ModelName=model,
        MaxPayloadInMB=6,
        BatchStrategy="MultiRecord",
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={
            "S3OutputPath": f"s3://{account.bucket}/{model}/scores",
            "Accept": "text/csv",
            "AssembleWith": "Line",
        },
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )

    def ended() -> Any:
        job = account.sagemaker.describe_transform_job(TransformJobName=model)
        return job if job["TransformJobStatus"] != "InProgress" else None

    job = waiting(ended)
    assert job["TransformJobStatus"] == "Completed", job
    answer: bytes = account.get(f"s3://{account.bucket}/{model}/scores/test.csv.out")
    return answer.decode()


def test_xgboost_trains_reports_metrics_and_serves(account: Any, waiting: Any) -> None:
    job = account.train(
        AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        InputDataConfig=[
            channel(account, "train", csv(rows(300, 1))),
            channel(account, "validation", csv(rows(100, 2))),
        ],
        HyperParameters=PARAMETERS,
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    metrics = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert metrics["validation:auc"] > 0.9
    name = account.name("xgboost")
    account.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=account.role,
        PrimaryContainer={"Image": XGBOOST, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]},
    )
    variant = {"VariantName": "A", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    account.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    account.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def settled() -> Any:
        described = account.sagemaker.describe_endpoint(EndpointName=name)
        return described if described["EndpointStatus"] != "Creating" else None

    described = waiting(settled)
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    answer = account.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, ContentType="text/csv", Accept="text/csv", Body="2.0,0.5\n-2.0,-0.5"
    )
    body = answer["Body"].read().decode()
    high, low = (float(word) for word in body.replace(",", "\n").split())
    assert low < 0.5 < high
    assert transformed(account, waiting, name, "2.0,0.5\n-2.0,-0.5\n") == body
    account.sagemaker.delete_endpoint(EndpointName=name)


def test_a_hyperparameter_out_of_range_fails_the_job_with_its_name(account: Any) -> None:
    job = account.train(
        AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        InputDataConfig=[channel(account, "train", csv(rows(20, 1)))],
        HyperParameters={**PARAMETERS, "eta": "2"},
    )
    assert job["TrainingJobStatus"] == "Failed"
    assert "eta" in job["FailureReason"]


def test_a_version_that_is_not_represented_is_refused(account: Any) -> None:
    with pytest.raises(ClientError, match="no program that represents the image"):
        account.train(
            AlgorithmSpecification={"TrainingImage": XGBOOST.replace("3.0-5", "1.7-1"), "TrainingInputMode": "File"}
        )
