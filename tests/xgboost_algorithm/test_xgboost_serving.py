from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops.rehearsal.xgboost_algorithm import REPRESENTS, installed_version, refusal
from tests.xgboost_algorithm.training_job import PACKAGE, Endpoint, Job, csv, environment, libsvm, rows, serving

if TYPE_CHECKING:
    from pathlib import Path

FEATURES = [row[1:] for row in rows(3, seed=9)]


def test_the_ping_is_answered_within_a_second_of_the_start(trained: Job) -> None:
    durations = []
    for _ in range(3):  # the best of three: the machine may be busy
        began = time.monotonic()
        with serving(trained.base) as (endpoint, _):
            assert endpoint.call("GET", "/ping").status == 200
            durations.append(time.monotonic() - began)
    assert min(durations) < 1


def test_csv_is_answered_by_one_probability_a_line(endpoint: Endpoint) -> None:
    answer = endpoint.invoke(csv(FEATURES))
    assert (answer.status, answer.content_type) == (200, "text/csv")
    assert answer.body.endswith("\n")
    assert all(0 < float(line) < 1 for line in answer.body.splitlines())
    assert len(answer.body.splitlines()) == 3


@pytest.mark.parametrize("accept", ["text/csv", "application/json"])
def test_a_transform_job_is_answered_by_a_line_for_each_row(trained: Job, accept: str) -> None:
    with serving(trained.base, SAGEMAKER_BATCH="true") as (endpoint, _):
        answer = endpoint.invoke(csv(FEATURES), Accept=accept)
    assert answer.body.count("\n") == len(FEATURES)
    assert answer.body.endswith("\n")
    assert all(0 < float(line) < 1 for line in answer.body.splitlines())


def test_json_is_answered_where_it_is_accepted(endpoint: Endpoint) -> None:
    answer = endpoint.invoke(csv(FEATURES), Accept="application/json")
    scores = [entry["score"] for entry in json.loads(answer.body)["predictions"]]
    assert answer.content_type == "application/json"
    assert scores == [float(line) for line in endpoint.invoke(csv(FEATURES)).body.splitlines()]


def test_libsvm_and_a_missing_value_are_understood(endpoint: Endpoint) -> None:
    expected = endpoint.invoke(csv(FEATURES)).body
    assert endpoint.invoke(libsvm([[0.0, *row] for row in FEATURES]), "text/libsvm").body == expected
    absent = endpoint.invoke("0 0:0.5 3:1.5", "text/x-libsvm").body
    assert endpoint.invoke("0.5,,,1.5").body == absent


def test_answers_equal_the_predictions_of_the_python_package(endpoint: Endpoint, trained: Job, tmp_path: Path) -> None:
    import numpy as np  # noqa: PLC0415
    import xgboost  # noqa: PLC0415 - seconds

    model = tmp_path / "model.ubj"
    model.write_bytes(trained.model.read_bytes())
    expected = xgboost.Booster(model_file=model).predict(xgboost.DMatrix(np.array(FEATURES, dtype=np.float32)))
    assert [float(line) for line in endpoint.invoke(csv(FEATURES)).body.splitlines()] == expected.tolist()


@pytest.mark.parametrize(
    ("body", "headers", "status", "text"),
    [
        (
            "1,2,3",
            {},
            400,
            "Feature size of csv inference data 3 is not consistent with feature size of trained model 4",
        ),
        ("1,2,3,4,5", {}, 400, "Feature size of csv inference data 5"),
        ("0 9:1", {"content_type": "text/libsvm"}, 400, "Feature size of libsvm inference data 10 is larger than"),
        ("1,2,x,4", {}, 415, "Loading csv data failed with Exception, please ensure data is in csv format"),
        ("1,2,3,4\n1,2", {}, 415, "Loading csv data failed"),
        ("1,2,3,inf", {}, 415, "Loading csv data failed"),
        ("{}", {"content_type": "application/json"}, 415, "application/json is not an accepted ContentType: csv"),
        ("1,2,3,4", {"Accept": "image/png"}, 406, "Accept type image/png is not supported"),
        ("", {}, 204, ""),
    ],
)
def test_what_cannot_be_answered_gets_the_status_of_the_container(
    endpoint: Endpoint, body: str, headers: dict[str, str], status: int, text: str
) -> None:
    answer = endpoint.invoke(body, **headers)
    assert answer.status == status
    assert text in answer.body


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200) | st.text("0123456789.,:-\n e;\tnaif", max_size=80).map(str.encode),
    content_type=st.sampled_from(["text/csv", "text/libsvm", "text/csv; charset=utf-8", "x", ""]),
)
def test_no_body_makes_the_endpoint_fail(endpoint: Endpoint, body: bytes, content_type: str) -> None:
    answer = endpoint.call("POST", "/invocations", body, Content_Type=content_type)
    assert answer.status in {200, 204, 400, 415}


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"BREW /invocations HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /ping HTTP/9.9\r\nHost: x\r\n\r\n",
        b"\x00\xff\xfe\r\n\r\n",
        b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /invocations HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /ping HTTP/1.1\r\n" + b"".join(b"a%d: b\r\n" % i for i in range(200)) + b"\r\n",
    ],
)
def test_a_malformed_request_is_the_fault_of_the_client(endpoint: Endpoint, request_bytes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", endpoint.port), timeout=5) as connection:
        connection.sendall(request_bytes)
        assert b" 4" in connection.recv(4096).splitlines()[0]
    assert endpoint.call("GET", "/ping").status == 200


def test_requests_at_the_same_time_get_their_own_answers(endpoint: Endpoint) -> None:
    bodies = [csv([row[1:]]) for row in rows(40, seed=11)]
    expected = [endpoint.invoke(body).body for body in bodies]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda body: endpoint.invoke(body).body, bodies)) == expected


def test_execution_parameters_are_those_of_batch_transform(endpoint: Endpoint) -> None:
    parameters = json.loads(endpoint.call("GET", "/execution-parameters").body)
    assert parameters | {"MaxConcurrentTransforms": 0} == {
        "MaxConcurrentTransforms": 0,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_sigterm_ends_the_server_with_0(trained: Job) -> None:
    with serving(trained.base) as (_, process):
        process.terminate()
        assert process.wait(5) == 0


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"{}"])
def test_a_model_that_cannot_be_loaded_ends_the_server_with_1(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "model").mkdir()
    if content is not None:
        (tmp_path / "model" / "xgboost-model").write_bytes(content)
    command = [sys.executable, "-m", f"{PACKAGE}.serve"]
    ended = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "PlatformError" in ended.stdout


def test_only_image_versions_that_hold_the_installed_xgboost_are_represented() -> None:
    assert installed_version() in REPRESENTS.values()
    assert refusal("3.0-5") is None
    assert refusal("1.7-1") == "XGBoost image version '1.7-1' is not represented here, only 3.0-5"


def test_several_models_are_loaded_asked_and_forgotten(trained: Job, tmp_path: Path) -> None:
    folder = tmp_path / "one" / "model"
    folder.mkdir(parents=True)
    (folder / "xgboost-model").write_bytes(trained.model.read_bytes())
    load = json.dumps({"model_name": "a", "url": str(folder)}).encode()
    with serving(tmp_path, SAGEMAKER_MULTI_MODEL="true") as (many, _):
        assert many.call("GET", "/ping").status == 200
        assert many.call("POST", "/models/a/invoke", b"1,2,3,4", Content_Type="text/csv").status == 404
        assert many.call("POST", "/models", load).status == 200
        assert many.call("POST", "/models", load).status == 409
        assert json.loads(many.call("GET", "/models").body) == {"models": [{"modelName": "a", "modelUrl": str(folder)}]}
        answer = many.call("POST", "/models/a/invoke", csv(FEATURES).encode(), Content_Type="text/csv")
        # As in the container, values stand between commas here, and on lines when there is one model.
        assert answer.body.count(",") == len(FEATURES) - 1
        assert "\n" not in answer.body
        assert many.call("DELETE", "/models/a").status == 200
        assert many.call("GET", "/models/a").status == 404
        assert many.call("POST", "/invocations", b"1,2,3,4").status == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"model_name": "a", "url": "/nowhere"}'])
def test_a_model_that_is_not_there_is_not_loaded(tmp_path: Path, body: bytes) -> None:
    with serving(tmp_path, SAGEMAKER_MULTI_MODEL="true") as (many, _):
        assert many.call("POST", "/models", body).status == 400


SCRIPT = """
import json
def model_fn(folder): return open(folder + "/factor.txt").read()
def transform_fn(model, content, content_type, accept):
    if content == "boom": raise ValueError("broken")
    return json.dumps([model, type(content).__name__, content_type, accept]), "application/json"
"""
PARTS = """
def model_fn(folder): return 2
def input_fn(content, content_type): return [float(cell) for cell in content.split(",")]
def predict_fn(data, model): return [model * value for value in data]
def output_fn(prediction, accept): return ",".join(map(str, prediction))
"""


def script(base: Path, text: str) -> Path:
    (base / "model" / "code").mkdir(parents=True)
    (base / "model" / "factor.txt").write_text("3")
    (base / "model" / "code" / "program.py").write_text(text)
    return base


MODE = {"SAGEMAKER_PROGRAM": "program.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


def test_a_script_answers_as_the_toolkit_calls_it(tmp_path: Path) -> None:
    with serving(script(tmp_path, SCRIPT), **MODE) as (scripted, _):
        assert scripted.call("GET", "/ping").status == 200
        assert scripted.call("GET", "/execution-parameters").status == 404
        assert json.loads(scripted.invoke("1").body) == ["3", "str", "text/csv", "application/json"]
        typed = scripted.invoke("1", "text/csv; charset=utf-8", Accept="text/csv")
        assert json.loads(typed.body) == ["3", "bytes", "text/csv; charset=utf-8", "text/csv"]
        assert scripted.invoke("boom").status == 500


def test_a_script_may_answer_in_three_parts(tmp_path: Path) -> None:
    with serving(script(tmp_path, PARTS), **MODE) as (scripted, _):
        answer = scripted.invoke("1,2", Accept="text/csv")
        assert (answer.body, answer.content_type) == ("2.0,4.0", "text/csv; charset=utf-8")


@pytest.mark.parametrize("text", ["", "raise RuntimeError('no')", "def model_fn(folder): return 1", SCRIPT + PARTS])
def test_a_script_that_cannot_serve_ends_the_server_with_1(tmp_path: Path, text: str) -> None:
    command = [sys.executable, "-m", f"{PACKAGE}.serve"]
    variables = environment(script(tmp_path, text), **MODE)
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "UserError" in ended.stdout
