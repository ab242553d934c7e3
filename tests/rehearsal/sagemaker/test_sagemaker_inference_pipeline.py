"""An inference pipeline from end to end: prepared rows, a model of the algorithm, and the preprocessor before it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import prepare
from job_settings import read_settings
from mlops.rehearsal import sagemaker_fleets, sagemaker_inference_pipeline
from mlops.rehearsal.timeline import TIMELINE, Kind
from mlops_constructs.inference_pipeline import _SCRIPT_MODE as SCRIPT_MODE

XGBOOST = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"
SETTINGS = {
    "data": {
        "label": "left",
        "columns": {
            "plan": {"type": "category", "categories": ["basic", "plus, yearly"], "missing": True},
            "age": {"type": "integer", "minimum": 18, "maximum": 99},
            "charge": {"type": "number", "missing": True},
            "left": {"type": "category", "categories": ["no", "yes"]},
        },
        "split": {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 1},
    },
    "gates": {
        "data": {"minimum_rows": 10, "minimum_class_share": 0.01, "maximum_duplicate_share": 1.0},
        "champion": {"metric": "auc", "confidence": 0.95, "resamples": 10, "seed": 1},
    },
}


@dataclass
class Run:
    """A run whose model has been trained from prepared rows."""

    account: Any
    prepared: Path
    model_data: str
    preprocessor: str

    def rows(self) -> tuple[str, str]:
        """Return the held-out rows as they are sent, and encoded."""
        sent = (self.prepared / "requests" / "test.csv").read_text().splitlines()
        return "".join(line.partition(",")[2] + "\n" for line in sent), (self.prepared / "score/test.csv").read_text()

    def containers(self) -> list[dict[str, Any]]:
        return [
            {
                "Image": XGBOOST,
                "ModelDataUrl": self.preprocessor,
                "ContainerHostname": "preprocessor",
                "Environment": dict(SCRIPT_MODE),
            },
            {"Image": XGBOOST, "ModelDataUrl": self.model_data, "ContainerHostname": "model"},
        ]

    def create_model(self, name: str, containers: list[dict[str, Any]]) -> str:
        given = {"PrimaryContainer": containers[0]} if len(containers) == 1 else {"Containers": containers}
        self.account.sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=self.account.role, EnableNetworkIsolation=True, **given
        )
        return name


@pytest.fixture(scope="module")
def run(account: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    base = tmp_path_factory.mktemp("prepare")
    chance = random.Random(5)  # noqa: S311 - data of a test
    lines = ["plan,age,charge,left"]
    for _ in range(400):
        plan, age = chance.choice(["basic", '"plus, yearly"', ""]), chance.randint(18, 99)
        left = chance.random() < (0.8 if plan == "basic" and age < 50 else 0.1)
        charge = "" if chance.random() < 0.1 else f"{chance.uniform(0, 90):.2f}"
        lines.append(f"{plan},{age},{charge},{'yes' if left else 'no'}")
    (base / "input" / "raw").mkdir(parents=True)
    (base / "input" / "raw" / "data.csv").write_text("\n".join(lines) + "\n")
    (base / "settings.json").write_text(json.dumps(SETTINGS))
    prepare.run(read_settings(base / "settings.json"), base)
    output = base / "output"
    channels = [
        {
            "ChannelName": name,
            "ContentType": "text/csv",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": account.put(f"piped/{name}/{name}.csv", (output / name / f"{name}.csv").read_text()),
                }
            },
        }
        for name in ("train", "validation")
    ]
    job = account.train(
        AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        InputDataConfig=channels,
        HyperParameters={"objective": "binary:logistic", "num_round": "15", "max_depth": "3"},
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    packed = account.put("piped/preprocessor/model.tar.gz", (output / "preprocessor" / "model.tar.gz").read_bytes())
    return Run(account, output, job["ModelArtifacts"]["S3ModelArtifacts"], packed)


@dataclass
class Endpoint:
    """An endpoint of a run."""

    account: Any
    name: str

    def invoke(self, body: str, kind: str = "text/csv", accept: str = "text/csv") -> str:
        runtime = self.account.client("sagemaker-runtime")
        answer = runtime.invoke_endpoint(EndpointName=self.name, Body=body.encode(), ContentType=kind, Accept=accept)
        text: str = answer["Body"].read().decode()
        return text


@pytest.fixture(scope="module")
def serve(run: Run, waiting: Callable[..., Any]) -> Iterator[Callable[..., Endpoint]]:
    made: list[str] = []
    sagemaker = run.account.sagemaker

    def settled(name: str) -> Any:
        found = sagemaker.describe_endpoint(EndpointName=name)
        return found if found["EndpointStatus"] not in {"Creating", "Updating"} else None

    def serving(containers: list[dict[str, Any]], *, status: str = "InService") -> Endpoint:
        name = run.create_model(run.account.name("piped"), containers)
        variant = {"VariantName": "live", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        made.append(name)
        found = waiting(lambda: settled(name))
        assert found["EndpointStatus"] == status, found.get("FailureReason")
        return Endpoint(run.account, name)

    yield serving
    for name in made:
        sagemaker.delete_endpoint(EndpointName=name)


@pytest.fixture(scope="module")
def piped(run: Run, serve: Callable[..., Endpoint]) -> Endpoint:
    return serve(run.containers())


def test_raw_rows_are_answered_as_the_model_answers_their_features(
    run: Run, piped: Endpoint, serve: Callable[..., Endpoint]
) -> None:
    alone = serve(run.containers()[1:])
    raw, encoded = run.rows()
    expected = alone.invoke(encoded)
    assert len(expected.splitlines()) == len(raw.splitlines()) > 50
    assert piped.invoke(raw) == expected
    with pytest.raises(ClientError):
        alone.invoke(raw)


def test_rows_by_the_names_of_their_columns_are_answered_too(piped: Endpoint) -> None:
    by_name = json.dumps({"instances": [{"age": 40, "plan": "plus, yearly"}, {"plan": None, "age": 20, "charge": 3.5}]})
    assert piped.invoke(by_name, "application/json") == piped.invoke('"plus, yearly",40,\n,20,3.5\n')
    scores = json.loads(piped.invoke(by_name, "application/json", "application/json"))
    assert len(scores["predictions"]) == 2


@pytest.mark.parametrize(
    ("body", "container", "status", "said"),
    [
        ("gold,17,1\n", "preprocessor", 400, "'gold'; allowed: 'basic', 'plus, yearly'"),
        ("basic,40\n", "preprocessor", 400, "each row must have 3 cells, plan,age,charge"),
    ],
)
def test_a_refusal_names_the_container_and_what_is_wrong(
    piped: Endpoint, body: str, container: str, status: int, said: str
) -> None:
    with pytest.raises(ClientError) as refused:
        piped.invoke(body)
    error: dict[str, Any] = refused.value.response
    assert error["OriginalStatusCode"] == status
    assert f"Received client error ({status}) from {container} with message" in error["Error"]["Message"]
    assert said in json.loads(error["OriginalMessage"])["error"]


def test_each_container_writes_a_log_of_its_own(run: Run, piped: Endpoint) -> None:
    piped.invoke("basic,40,1\n")
    logs = run.account.client("logs")
    streams = logs.describe_log_streams(logGroupName=f"/aws/sagemaker/Endpoints/{piped.name}")["logStreams"]
    assert {each["logStreamName"].rpartition("/")[2] for each in streams} == {"preprocessor", "model"}


def test_a_preprocessor_that_cannot_start_fails_the_endpoint(run: Run, serve: Callable[..., Endpoint]) -> None:
    containers = run.containers()
    containers[0]["Environment"]["SAGEMAKER_PROGRAM"] = "nothing.py"
    of_others = {event.name for event in TIMELINE.events(Kind.LOG)}
    serve(containers, status="Failed")
    new = [event.name for event in TIMELINE.events(Kind.LOG) if event.name not in of_others]
    assert any("UserError: nothing" in line for line in new)


def test_a_transform_job_takes_raw_rows_too(run: Run, piped: Endpoint, waiting: Callable[..., Any]) -> None:
    account, name = run.account, run.create_model(run.account.name("piped"), run.containers())
    raw, _ = run.rows()
    account.put(f"{name}/in/a.csv", raw)
    account.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        MaxPayloadInMB=1,
        BatchStrategy="MultiRecord",
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{account.bucket}/{name}/in"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={
            "S3OutputPath": f"s3://{account.bucket}/{name}/out",
            "Accept": "text/csv",
            "AssembleWith": "Line",
        },
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )

    def ended() -> Any:
        job = account.sagemaker.describe_transform_job(TransformJobName=name)
        return job if job["TransformJobStatus"] != "InProgress" else None

    assert waiting(ended)["TransformJobStatus"] == "Completed"
    assert account.get(f"s3://{account.bucket}/{name}/out/a.csv.out").decode() == piped.invoke(raw)


def test_the_server_is_registered_once(account: Any) -> None:
    del account
    sagemaker_inference_pipeline.install()
    sagemaker_inference_pipeline.install()
    assert len(sagemaker_fleets.FACTORIES) == len(set(sagemaker_fleets.FACTORIES))
