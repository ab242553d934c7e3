"""An endpoint that several models share: the algorithm's own server loads each when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import sagemaker_fleets, sagemaker_multi_model

XGBOOST = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"
TINY = """
import http.server, json, os
loaded = {}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = 200, b""
        if self.path == "/models":
            wanted = json.loads(body)
            text = open(wanted["url"] + "/model.txt").read()
            status = 507 if text == "huge" else 200
            loaded[wanted["model_name"]] = text
        else:
            answer = loaded[self.path.split("/")[2]].encode() + b" " + os.environ["SAGEMAKER_MULTI_MODEL"].encode()
        self.send_response(status); self.end_headers(); self.wfile.write(answer)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@dataclass
class Shared:
    """A shared endpoint over everything in the bucket."""

    account: Any
    name: str

    def invoke(self, model: str | None, body: bytes = b"1,2") -> str:
        runtime = self.account.client("sagemaker-runtime")
        target = {"TargetModel": model} if model else {}
        answer = runtime.invoke_endpoint(EndpointName=self.name, Body=body, ContentType="text/csv", **target)
        text: str = answer["Body"].read().decode()
        return text

    def refusal(self, model: str | None) -> dict[str, Any]:
        with pytest.raises(ClientError) as refused:
            self.invoke(model)
        error: dict[str, Any] = refused.value.response
        return error


@pytest.fixture
def share(account: Any, waiting: Callable[..., Any]) -> Iterator[Callable[..., Shared]]:
    made: list[str] = []

    def sharing(container: dict[str, Any]) -> Shared:
        name = account.name("shared")
        account.sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=account.role, PrimaryContainer=container, EnableNetworkIsolation=True
        )
        variant = {"VariantName": "live", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        account.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        account.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        made.append(name)

        def settled() -> Any:
            found = account.sagemaker.describe_endpoint(EndpointName=name)
            return found if found["EndpointStatus"] != "Creating" else None

        assert waiting(settled)["EndpointStatus"] == "InService"
        return Shared(account, name)

    yield sharing
    for name in made:
        account.sagemaker.delete_endpoint(EndpointName=name)


@pytest.fixture
def tiny(account: Any, image: Callable[..., str], share: Callable[..., Shared]) -> Shared:
    container = {"Image": image(serve=TINY), "Mode": "MultiModel", "ModelDataUrl": f"s3://{account.bucket}/"}
    return share(container)


def test_each_request_is_answered_by_the_model_that_it_names(tiny: Shared) -> None:
    keys = [f"a/runs/{run}/model.tar.gz" for run in ("one", "two")]
    for key in keys:
        tiny.account.put_archive(key, **{"model.txt": key})
    for key in (*keys, *keys):
        assert tiny.invoke(key) == f"{key} true"


def test_a_model_that_comes_later_needs_no_update_of_the_endpoint(tiny: Shared) -> None:
    key = "later/runs/one/model.tar.gz"
    error = tiny.refusal(key)
    assert error["Error"]["Code"] == "ValidationError"
    assert f"Failed to download model data(bucket: {tiny.account.bucket}, key: {key})" in error["Error"]["Message"]
    tiny.account.put_archive(key, **{"model.txt": "there"})
    assert tiny.invoke(key) == "there true"


def test_a_request_has_to_name_a_model(tiny: Shared) -> None:
    error = tiny.refusal(None)
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("ValidationError", 400)
    assert "missing a target model header" in error["Error"]["Message"]


def test_a_model_that_the_container_cannot_load_is_a_model_error(tiny: Shared) -> None:
    tiny.account.put_archive("huge/model.tar.gz", **{"model.txt": "huge"})
    error = tiny.refusal("huge/model.tar.gz")
    assert error["Error"]["Code"] == "ModelError"
    assert "cannot load the model huge/model.tar.gz: 507" in error["Error"]["Message"]


def test_an_endpoint_of_one_model_takes_no_name(account: Any, image: Callable[..., str], share: Any) -> None:
    data = account.put_archive("alone.tar.gz", **{"model.txt": "alone"})
    error = share({"Image": image(serve=TINY), "ModelDataUrl": data}).refusal("alone.tar.gz")
    assert "is not a multi-model endpoint" in error["Error"]["Message"]


def test_a_shared_endpoint_transforms_no_batches(tiny: Shared) -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{tiny.account.bucket}/x"}}
    with pytest.raises(ClientError, match="cannot transform batches"):
        tiny.account.sagemaker.create_transform_job(
            TransformJobName=tiny.name,
            ModelName=tiny.name,
            TransformInput={"DataSource": source},
            TransformOutput={"S3OutputPath": f"s3://{tiny.account.bucket}/y"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )


def test_two_trained_models_share_the_algorithm_s_server(account: Any, share: Callable[..., Shared]) -> None:
    def trained(sign: int) -> str:
        text = "".join(f"{int(sign * x > 0)},{x},{1}\n" for x in range(-20, 21))
        source = {"S3DataType": "S3Prefix", "S3Uri": account.put(f"shared{sign}/train/a.csv", text)}
        job = account.train(
            AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
            InputDataConfig=[
                {"ChannelName": "train", "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}
            ],
            HyperParameters={"objective": "binary:logistic", "num_round": "10", "min_child_weight": "0"},
        )
        return str(job["ModelArtifacts"]["S3ModelArtifacts"]).removeprefix(f"s3://{account.bucket}/")

    shared = share({"Image": XGBOOST, "Mode": "MultiModel", "ModelDataUrl": f"s3://{account.bucket}/"})
    rising, falling = trained(1), trained(-1)
    # The algorithm separates the answers of a shared endpoint by commas.
    low, high = map(float, shared.invoke(rising, b"-10,1\n10,1").split(","))
    assert (low < 0.2, high > 0.8) == (True, True)
    low, high = map(float, shared.invoke(falling, b"-10,1\n10,1").split(","))
    assert (low > 0.8, high < 0.2) == (True, True)


def test_the_server_is_registered_once(account: Any) -> None:
    del account
    sagemaker_multi_model.install()
    assert len([one for one in sagemaker_fleets.FACTORIES if "multi" in one.__module__]) == 1
