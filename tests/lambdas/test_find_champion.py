from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from lambdas.find_champion import handler
from lambdas.shared.endpoints import Endpoint, EndpointState
from lambdas.shared.errors import EndpointChanging, EndpointNotServing

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Context, Json

NAME = "mlops-churn-prod"
ARN = "arn:aws:sagemaker:eu-west-1:111122223333"
MODEL_DATA = "s3://mlops-artifacts/churn/runs/run-0/model/job-0/output/model.tar.gz"
PACKAGE = f"{ARN}:model-package/mlops-churn/2"
NOW = "2026-11-12T00:00:00Z"
STATUSES = botocore.session.Session().get_service_model("sagemaker").shape_for("EndpointStatus").enum


def describe_endpoint(aws: Aws, status: str = "InService", **more: Any) -> None:
    response = {
        "EndpointName": NAME,
        "EndpointArn": f"{ARN}:endpoint/{NAME}",
        "EndpointConfigName": f"{NAME}-old",
        "EndpointStatus": status,
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
    }
    aws.stub("sagemaker").add_response("describe_endpoint", response | more, {"EndpointName": NAME})


def describe_config(aws: Aws, *variants: Json) -> None:
    response = {
        "EndpointConfigName": f"{NAME}-old",
        "EndpointConfigArn": f"{ARN}:endpoint-config/{NAME}-old",
        "ProductionVariants": list(variants),
        "CreationTime": NOW,
    }
    expected = {"EndpointConfigName": f"{NAME}-old"}
    aws.stub("sagemaker").add_response("describe_endpoint_config", response, expected)


def describe_model(aws: Aws, **containers: Any) -> None:
    response = {"ModelName": "model-0", "ModelArn": f"{ARN}:model/model-0", "CreationTime": NOW} | containers
    aws.stub("sagemaker").add_response("describe_model", response, {"ModelName": "model-0"})


def list_tags(aws: Aws, *tags: Json, token: str | None = None, after: str | None = None) -> None:
    response: Json = {"Tags": list(tags)} | ({"NextToken": token} if token else {})
    expected = {"ResourceArn": f"{ARN}:model/model-0"} | ({"NextToken": after} if after else {})
    aws.stub("sagemaker").add_response("list_tags", response, expected)


VARIANT = {"VariantName": "main", "ModelName": "model-0"}
CONTAINER = {"Image": "image:3.0-5", "ModelDataUrl": MODEL_DATA}
PREPROCESSOR = {"Image": "image:3.0-5", "ModelDataUrl": MODEL_DATA.replace("/model/", "/prepared/preprocessor/")}


@pytest.fixture
def find(event_of: Callable[..., Json], context: Context) -> Callable[[], Json]:
    return lambda: handler.handle(event_of("find_champion"), context)


@pytest.mark.parametrize(
    "container",
    [
        {"PrimaryContainer": CONTAINER},
        {"Containers": [CONTAINER]},
        pytest.param({"Containers": [PREPROCESSOR, CONTAINER]}, id="behind a preprocessor"),
    ],
)
def test_the_model_in_service_is_the_champion(aws: Aws, find: Callable[[], Json], container: Json) -> None:
    describe_endpoint(aws)
    describe_config(aws, VARIANT)
    describe_model(aws, **container)
    list_tags(aws, {"Key": "team", "Value": "x"}, token="next")
    list_tags(aws, {"Key": "mlops:model-package", "Value": PACKAGE}, after="next")
    assert find() == {
        "exists": True,
        "endpointName": NAME,
        "modelName": "model-0",
        "modelDataUrl": MODEL_DATA,
        "dataReportUri": "s3://mlops-artifacts/churn/runs/run-0/data-report",
        "imageUri": "image:3.0-5",
        "modelPackageArn": PACKAGE,
    }


def test_a_model_that_was_deployed_by_hand_has_no_package(aws: Aws, find: Callable[[], Json]) -> None:
    describe_endpoint(aws)
    describe_config(aws, VARIANT)
    describe_model(aws, PrimaryContainer=CONTAINER)
    list_tags(aws)
    assert find()["modelPackageArn"] is None


ELSEWHERE = {"roleArn": "arn:aws:iam::444455556666:role/mlops-prod-observer", "region": "eu-central-1"}
COPY = {"Image": "copy:3.0-5", "ModelDataUrl": MODEL_DATA.replace("mlops-artifacts", "mlops-artifacts-eu-central-1")}


@pytest.fixture
def remote(aws: Aws, event_of: Callable[..., Json], context: Context) -> Callable[..., Json]:
    """Find the champion of another account and region, which serves `container` with the tags `tags`."""

    def find(*tags: Json, container: Json = COPY) -> Json:
        there = aws.elsewhere(role_arn=ELSEWHERE["roleArn"], region=ELSEWHERE["region"])
        aws.stub("sagemaker")
        describe_endpoint(there)
        describe_config(there, VARIANT)
        describe_model(there, PrimaryContainer=container)
        list_tags(there, *tags)
        result: Json = handler.handle(event_of("find_champion", access=ELSEWHERE), context)
        return result

    return find


def register(aws: Aws, *containers: Json) -> None:
    response = {
        "ModelPackageName": "mlops-churn/2",
        "ModelPackageArn": PACKAGE,
        "ModelPackageGroupName": "mlops-churn",
        "CreationTime": NOW,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "InferenceSpecification": {"Containers": list(containers)},
    }
    aws.stub("sagemaker").add_response("describe_model_package", response, {"ModelPackageName": PACKAGE})


TAG = {"Key": "mlops:model-package", "Value": PACKAGE}


def test_the_champion_of_another_region_is_compared_where_it_was_trained(aws: Aws, remote: Callable[..., Json]) -> None:
    register(aws, CONTAINER)
    found = remote(TAG)
    assert (found["modelDataUrl"], found["imageUri"]) == (MODEL_DATA, "image:3.0-5")
    assert found["dataReportUri"] == "s3://mlops-artifacts/churn/runs/run-0/data-report"
    assert (found["modelName"], found["modelPackageArn"]) == ("model-0", PACKAGE)


def test_the_champion_of_another_region_without_package_is_an_error(remote: Callable[..., Json]) -> None:
    with pytest.raises(EndpointNotServing, match="model-0 in service has no tag mlops:model-package"):
        remote()


def test_a_tag_that_names_the_package_of_another_model_is_an_error(aws: Aws, remote: Callable[..., Json]) -> None:
    register(aws, CONTAINER)
    other = COPY | {"ModelDataUrl": "s3://mlops-artifacts-eu-central-1/churn/runs/run-9/model/job-9/model.tar.gz"}
    with pytest.raises(EndpointNotServing, match=r"not what its tag says: it serves .*run-9.* has .*run-0"):
        remote(TAG, container=other)


def test_a_package_without_model_data_is_an_error(aws: Aws, remote: Callable[..., Json]) -> None:
    register(aws, {"Image": "image:3.0-5"})
    with pytest.raises(EndpointNotServing, match="not what its tag says"):
        remote(TAG)


def test_a_champion_of_unknown_features_is_an_error_that_says_what_to_do(aws: Aws, find: Callable[[], Json]) -> None:
    describe_endpoint(aws)
    describe_config(aws, VARIANT)
    describe_model(aws, PrimaryContainer=CONTAINER | {"ModelDataUrl": "s3://elsewhere/model.tar.gz"})
    list_tags(aws)
    with pytest.raises(EndpointNotServing, match="take its endpoint out of service"):
        find()


def test_no_endpoint_is_no_champion(aws: Aws, find: Callable[[], Json]) -> None:
    message = f'Could not find endpoint "{ARN}:endpoint/{NAME}".'
    aws.stub("sagemaker").add_client_error("describe_endpoint", "ValidationException", message)
    assert find() == {"exists": False}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", "1 validation error detected"),
        ("AccessDeniedException", "Could not find endpoint: not authorized"),
        ("InternalFailure", "Could not find endpoint"),
        ("ResourceNotFound", "something"),
    ],
)
def test_any_other_error_is_not_taken_for_no_champion(
    aws: Aws, find: Callable[[], Json], code: str, message: str
) -> None:
    aws.stub("sagemaker").add_client_error("describe_endpoint", code, message)
    with pytest.raises(Exception, match=code):
        find()


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "InService"] + ["Hibernating"])
def test_every_status_but_in_service_is_an_error(aws: Aws, find: Callable[[], Json], status: str) -> None:
    describe_endpoint(aws, status, FailureReason="disk full")
    changing = status in {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
    with pytest.raises(EndpointChanging if changing else EndpointNotServing, match=f"{status}.*disk full"):
        find()


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_that_sagemaker_knows_is_known_here(status: str) -> None:
    from lambdas.shared.endpoints import _STATES  # noqa: PLC0415

    assert status in _STATES


def test_an_unknown_status_counts_as_broken() -> None:
    endpoint = Endpoint(name=NAME, status="Hibernating", config_name="c", failure_reason="")
    assert endpoint.state is EndpointState.BROKEN


def test_a_variant_without_model_is_an_error(aws: Aws, find: Callable[[], Json]) -> None:
    describe_endpoint(aws)
    describe_config(aws, {"VariantName": "main"})
    with pytest.raises(EndpointNotServing, match="variant main of endpoint mlops-churn-prod has no model"):
        find()


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ({"PrimaryContainer": {"Image": "image"}}, "no model data"),
        ({}, "no image"),
    ],
)
def test_a_model_that_cannot_be_compared_is_an_error(
    aws: Aws, find: Callable[[], Json], containers: Json, words: str
) -> None:
    describe_endpoint(aws)
    describe_config(aws, VARIANT)
    describe_model(aws, **containers)
    with pytest.raises(EndpointNotServing, match=words):
        find()
