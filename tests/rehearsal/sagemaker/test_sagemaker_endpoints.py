from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import botocore.session
import psutil
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from mlops.rehearsal import sagemaker_canary
from mlops.rehearsal.faults import FAULTS, Fault
from tests.rehearsal.endpoints_world import Endpoints


def serving_processes() -> set[int]:
    found = set()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # ended meanwhile
            if any("serve" in word for word in child.cmdline()):
                found.add(child.pid)
    return found


def test_an_endpoint_answers_with_its_model(endpoints: Endpoints) -> None:
    name = endpoints.create(endpoints.configuration("0.75"))
    assert endpoints.account.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Creating"
    assert endpoints.settled(name)["EndpointStatus"] == "InService"
    answer = endpoints.invoke(name, Accept="text/csv", InferenceId="i-1")
    assert (answer["Body"].read(), answer["ContentType"]) == (b"0.75", "text/csv")
    assert answer["InvokedProductionVariant"] == "A"


def test_the_description_of_an_endpoint_fits_the_model_of_the_api(endpoints: Endpoints) -> None:
    described = endpoints.settled(endpoints.in_service())
    described.pop("ResponseMetadata")
    client = botocore.session.Session(profile=None).create_client(
        "sagemaker", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:  # refuses an answer that the model does not allow
        stub.add_response("describe_endpoint", described)
        assert client.describe_endpoint(EndpointName="x") == described


def test_an_update_serves_the_new_model_and_ends_the_old_process(endpoints: Endpoints) -> None:
    of_others = serving_processes()
    name = endpoints.in_service("0.1")
    before = serving_processes() - of_others
    second = endpoints.configuration("0.2")
    described = endpoints.update(name, second)
    assert described["EndpointConfigName"] == second
    assert endpoints.invoke(name)["Body"].read() == b"0.2"
    assert before
    assert endpoints.waiting(lambda: not serving_processes() & before)


def test_an_update_of_an_endpoint_that_moves_is_refused(endpoints: Endpoints) -> None:
    configuration = endpoints.configuration()
    name = endpoints.create(configuration)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        endpoints.account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=configuration)


def test_a_container_that_does_not_start_fails_a_new_endpoint(endpoints: Endpoints, image: Any) -> None:
    image(serve="raise SystemExit(1)")
    described = endpoints.settled(endpoints.create(endpoints.configuration()))
    assert described["EndpointStatus"] == "Failed"
    assert "production variant A did not pass the ping health check" in described["FailureReason"]


def test_a_container_that_does_not_start_leaves_the_old_variant_serving(endpoints: Endpoints, image: Any) -> None:
    name = endpoints.in_service("0.4")
    old = endpoints.settled(name)["EndpointConfigName"]
    image(serve="raise SystemExit(1)")
    described = endpoints.update(name, endpoints.configuration("0.5"))
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", old)
    assert "ping health check" in described["FailureReason"]
    assert endpoints.invoke(name)["Body"].read() == b"0.4"


@pytest.mark.parametrize(
    ("request_", "status", "side", "text"),
    [
        ({"ContentType": "application/json"}, 415, "client", "send text/csv"),
        ({"Body": b"boom"}, 500, "server", "it broke"),
    ],
)
def test_an_error_of_the_container_is_a_model_error(
    endpoints: Endpoints, request_: dict[str, Any], status: int, side: str, text: str
) -> None:
    name = endpoints.in_service()
    with pytest.raises(ClientError) as error:
        endpoints.invoke(name, **request_)
    answer = error.value.response
    assert answer["Error"]["Code"] == "ModelError"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (answer["OriginalStatusCode"], answer["OriginalMessage"]) == (status, text)
    assert f'Received {side} error ({status}) from primary with message "{text}"' in answer["Error"]["Message"]


def test_a_body_of_bytes_arrives_as_it_was_sent(endpoints: Endpoints) -> None:
    body = b"\x93NUMPY\xff\xfe\x00"
    assert endpoints.invoke(endpoints.in_service(), body)["Body"].read() == body


def test_an_endpoint_that_does_not_exist_is_named(endpoints: Endpoints) -> None:
    with pytest.raises(ClientError, match="Endpoint nobody of account 111122223333 not found") as error:
        endpoints.invoke("nobody")
    assert error.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match='Could not find endpoint "arn:aws:sagemaker:eu-west-1:111122223333:endpoint'):
        endpoints.account.sagemaker.describe_endpoint(EndpointName="nobody")


def test_a_model_without_its_data_is_refused(endpoints: Endpoints) -> None:
    with pytest.raises(ClientError, match="Could not find model data"):
        endpoints.account.sagemaker.create_model(
            ModelName="without-data",
            ExecutionRoleArn=endpoints.account.role,
            PrimaryContainer={"Image": endpoints.image, "ModelDataUrl": f"s3://{endpoints.account.bucket}/no.tar.gz"},
        )
    with pytest.raises(ClientError, match="Could not find model"):
        endpoints.account.sagemaker.describe_model(ModelName="without-data")


def test_names_are_used_once(endpoints: Endpoints) -> None:
    name = endpoints.in_service()
    configuration = endpoints.settled(name)["EndpointConfigName"]
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        endpoints.account.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=configuration)


def test_requests_and_answers_are_captured(endpoints: Endpoints, waiting: Any) -> None:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{endpoints.account.bucket}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }
    name = endpoints.in_service(DataCaptureConfig=capture)
    endpoints.invoke(name, InferenceId="row-7")
    s3 = endpoints.account.client("s3")
    place = {"Bucket": endpoints.account.bucket, "Prefix": f"captured/{name}/A/"}
    key = waiting(lambda: s3.list_objects_v2(**place).get("Contents"))[0]["Key"]
    record = json.loads(endpoints.account.get(f"s3://{endpoints.account.bucket}/{key}"))
    assert record["captureData"]["endpointInput"]["data"] == "1,2"
    assert record["captureData"]["endpointOutput"]["encoding"] == "CSV"
    assert record["eventMetadata"]["inferenceId"] == "row-7"


def test_fault_wrong_answers_turns_probabilities_around(endpoints: Endpoints) -> None:
    name = endpoints.in_service("0.25\n0.5")
    FAULTS.activate(Fault.WRONG_ANSWERS)
    assert endpoints.invoke(name)["Body"].read() == b"0.25\n0.5"
    endpoints.update(name, endpoints.configuration("0.25\n0.9375"))
    assert endpoints.invoke(name)["Body"].read() == b"0.75\n0.0625"


def test_fault_silent_rollback_keeps_the_old_configuration_without_a_reason(endpoints: Endpoints) -> None:
    name = endpoints.in_service("0.25")
    old = endpoints.settled(name)["EndpointConfigName"]
    FAULTS.activate(Fault.SILENT_ROLLBACK)
    described = endpoints.update(name, endpoints.configuration("0.5"))
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", old)
    assert "FailureReason" not in described
    assert endpoints.invoke(name)["Body"].read() == b"0.25"


def test_fault_serve_dies_kills_the_container_at_the_first_invocation(endpoints: Endpoints) -> None:
    name = endpoints.in_service("0.25")
    FAULTS.activate(Fault.SERVE_DIES)
    for _ in range(2):  # it is not started again
        with pytest.raises(ClientError, match="the container does not answer") as error:
            endpoints.invoke(name)
        assert error.value.response["Error"]["Code"] == "ModelError"
    FAULTS.activate(None)
    endpoints.update(name, endpoints.configuration("0.5"))
    assert endpoints.invoke(name)["Body"].read() == b"0.5"


def test_fault_serve_unhealthy_leaves_the_old_variant_serving(endpoints: Endpoints) -> None:
    name = endpoints.in_service("0.25")
    FAULTS.activate(Fault.SERVE_UNHEALTHY)
    began = time.monotonic()
    described = endpoints.update(name, endpoints.configuration("0.5"))
    assert time.monotonic() - began < 15
    assert described["EndpointStatus"] == "InService"
    assert "ping health check" in described["FailureReason"]
    assert endpoints.invoke(name)["Body"].read() == b"0.25"


def test_wrong_answers_keep_their_format() -> None:
    body = b'{"predictions": [{"score": 0.25}]}'
    assert sagemaker_canary.opposite(body, "application/json") == b'{"predictions": [{"score": 0.75}]}'
