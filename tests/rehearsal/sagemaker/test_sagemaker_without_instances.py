"""Serverless endpoints, instance pools, and what a variant may run on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import sagemaker_endpoints, sagemaker_runtime, sagemaker_serverless
from mlops.rehearsal.cloudwatch_metrics import METRICS
from mlops.rehearsal.sagemaker_runtime import RuntimeRefusal
from mlops.rehearsal.sagemaker_serverless import ServerlessServer
from tests.rehearsal.endpoints_world import Endpoints


def serverless(endpoints: Endpoints, **changes: Any) -> str:
    """Make a serverless endpoint and wait until it is in service."""
    name = endpoints.account.name("serverless")
    variant = {"VariantName": "live", "ModelName": endpoints.model("0.5")}
    config = {"MemorySizeInMB": 2048, "MaxConcurrency": 1} | changes
    endpoints.account.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "ServerlessConfig": config}]
    )
    return endpoints.served(name)


def server_of(name: str) -> ServerlessServer:
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - as in the package

    serving = sagemaker_endpoints.serving_of(sagemaker_backends["111122223333"]["eu-west-1"], name)
    assert serving is not None
    server = serving.blue.servers["live"]
    assert isinstance(server, ServerlessServer)
    return server


def test_a_container_starts_at_the_first_request_and_stays_for_the_next(endpoints: Endpoints) -> None:
    name = serverless(endpoints)
    server = server_of(name)
    assert server.containers == 0
    began = time.perf_counter()
    assert endpoints.invoke(name)["Body"].read() == b"0.5"
    cold = time.perf_counter() - began
    assert server.containers == 1
    began = time.perf_counter()
    assert endpoints.invoke(name)["Body"].read() == b"0.5"
    assert time.perf_counter() - began < cold, "the first request waits for the start"
    setups = [one for one in METRICS.known("111122223333", "eu-west-1") if one.name == "ModelSetupTime"]
    assert ("EndpointName", name) in {pair for one in setups for pair in one.dimensions}


def test_more_requests_at_once_than_allowed_are_refused(endpoints: Endpoints) -> None:
    name = serverless(endpoints)
    endpoints.invoke(name)
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(endpoints.invoke, name, b"slow")
        time.sleep(0.3)
        with pytest.raises(RuntimeRefusal, match="MaxConcurrency of the endpoint is 1") as raised:
            # As SageMaker sees it: an SDK would try again, until the slow request has its answer.
            sagemaker_runtime.invoke(server_of(name).backend, name, b"1,2", {"Content-Type": "text/csv"})
        assert slow.result()["Body"].read() == b"0.5"
    assert (raised.value.code, raised.value.status) == ("ThrottlingException", 429)


def test_provisioned_containers_are_there_before_the_first_request(endpoints: Endpoints) -> None:
    name = serverless(endpoints, MaxConcurrency=2, ProvisionedConcurrency=1)
    assert server_of(name).containers == 1
    assert endpoints.invoke(name)["Body"].read() == b"0.5"
    assert server_of(name).containers == 1


def test_an_idle_container_ends(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    name = serverless(endpoints)
    endpoints.invoke(name)
    monkeypatch.setattr(sagemaker_serverless, "IDLE_SECONDS", 0.0)
    endpoints.waiting(lambda: server_of(name).containers == 0)
    assert endpoints.invoke(name)["Body"].read() == b"0.5"


def test_a_dead_container_is_replaced(endpoints: Endpoints) -> None:
    name = serverless(endpoints)
    endpoints.invoke(name)
    server_of(name).kill()
    with pytest.raises(ClientError, match="ModelError"):
        endpoints.invoke(name)
    assert endpoints.invoke(name)["Body"].read() == b"0.5"


def test_a_model_that_is_isolated_cannot_be_serverless(endpoints: Endpoints) -> None:
    sagemaker, name = endpoints.account.sagemaker, endpoints.account.name("isolated")
    data = endpoints.account.put_archive(f"{name}.tar.gz", **{"model.txt": "0.5"})
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=endpoints.account.role,
        PrimaryContainer={"Image": endpoints.image, "ModelDataUrl": data},
        EnableNetworkIsolation=True,
    )
    serverless_config = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{"VariantName": "live", "ModelName": name, "ServerlessConfig": serverless_config}],
    )
    endpoint = endpoints.settled(endpoints.create(name))
    assert endpoint["EndpointStatus"] == "Failed"
    assert "network isolation, which serverless endpoints do not support" in endpoint["FailureReason"]


def pools(*types: str) -> list[dict[str, Any]]:
    return [{"InstanceType": each, "Priority": place} for place, each in enumerate(types, start=1)]


def test_instance_pools_serve_like_one_type(endpoints: Endpoints) -> None:
    name = endpoints.account.name("pools")
    variant = endpoints.variant("live", "0.5") | {"InstancePools": pools("ml.m5.large", "ml.c5.large")}
    del variant["InstanceType"]
    endpoints.account.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    assert endpoints.invoke(endpoints.served(name))["Body"].read() == b"0.5"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"InstancePools": pools("ml.m5.large")}, "must have one of .*, got InstanceType, InstancePools"),
        ({"InstanceType": None}, "must have one of .*, got none"),
        ({"InstanceType": None, "InstancePools": pools("ml.m5.large", "ml.m5.large")}, "another InstanceType"),
        ({"InstanceType": None, "InstancePools": 2 * pools("ml.m5.large")[:1]}, "another"),
        ({"InitialInstanceCount": None}, "InitialInstanceCount is required"),
        (
            {"InstanceType": None, "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}},
            "InitialInstanceCount cannot be used",
        ),
        (
            {
                "InstanceType": None,
                "InitialInstanceCount": None,
                "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1, "ProvisionedConcurrency": 2},
            },
            "less than or equal to MaxConcurrency",
        ),
        (
            {
                "InstanceType": None,
                "InitialInstanceCount": None,
                "ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1},
            },
            "MemorySizeInMB",
        ),
    ],
)
def test_a_variant_that_sagemaker_refuses_is_refused(endpoints: Endpoints, changes: dict[str, Any], words: str) -> None:
    variant = endpoints.variant("live", "0.5") | changes
    given = {name: value for name, value in variant.items() if value is not None}
    with pytest.raises(ClientError, match=words):
        endpoints.account.sagemaker.create_endpoint_config(
            EndpointConfigName=endpoints.account.name("refused"), ProductionVariants=[given]
        )
