"""The contract of a serving container, asked of the application itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabular.settings import SettingsError, read
from tests.tabular.tabular_world import Request, application, ask, ask_all

ROW = b"5.1,3.5,1.4,0.2\n"
DOCUMENT = b'{"instances": [[5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.8, 2.2]]}'


def test_ping_is_healthy_and_empty(iris_model: Path) -> None:
    found = ask(application(iris_model), "GET", "/ping")
    assert (found.status, found.body) == (200, b"")


def test_csv_is_answered_with_one_line_for_each_row(iris_model: Path) -> None:
    found = ask(application(iris_model), "POST", "/invocations", ROW * 3, content_type="text/csv")
    assert found.status == 200
    assert found.headers["content-type"] == "text/csv"
    lines = found.body.decode().splitlines()
    assert found.body.endswith(b"\n")
    assert len(lines) == 3
    assert all(sum(map(float, line.split(","))) == pytest.approx(1) for line in lines)
    assert lines[0].split(",")[0] == "1.0"


def test_json_is_answered_with_predictions(iris_model: Path) -> None:
    found = ask(application(iris_model), "POST", "/invocations", DOCUMENT, content_type="application/json")
    assert found.headers["content-type"] == "application/json"
    answers = json.loads(found.body)["predictions"]
    assert [len(one) for one in answers] == [3, 3]


def test_a_number_is_answered_as_a_number(number_model: Path) -> None:
    served = application(number_model)
    text = ask(served, "POST", "/invocations", b"1,2,3\n0,0,0", content_type="text/csv")
    numbers = ask(served, "POST", "/invocations", b"1,2,3\n0,0,0", content_type="text/csv", accept="application/json")
    assert list(map(float, text.body.split())) == json.loads(numbers.body)["predictions"]


@pytest.mark.parametrize(
    ("content_type", "accept", "answered"),
    [
        ("text/csv", "", "text/csv"),
        ("text/csv", "*/*", "text/csv"),
        ("application/json", "*/*", "application/json"),
        ("text/csv", "application/json", "application/json"),
        ("text/csv; charset=utf-8", "application/json;q=0.5, text/csv;q=0.4", "application/json"),
        ("TEXT/CSV;label_size=0", "text/*", "text/csv"),
        ("application/json", "image/png, text/csv;q=0.1", "text/csv"),
        ("application/json", "application/json;q=0, */*;q=0.1", "text/csv"),
    ],
)
def test_the_answer_has_the_accepted_format(content_type: str, accept: str, answered: str, iris_model: Path) -> None:
    body = DOCUMENT if "json" in content_type else ROW
    found = ask(application(iris_model), "POST", "/invocations", body, content_type=content_type, accept=accept)
    assert (found.status, found.headers["content-type"]) == (200, answered)


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({}, 415, "set the header Content-Type"),
        ({"content_type": "application/x-npy"}, 415, "text/csv or application/json"),
        ({"content_type": "text/csv; charset=utf-16"}, 415, "Content-Type"),
        ({"content_type": "text/csv", "content_encoding": "gzip"}, 415, "do not compress"),
        ({"content_type": "text/csv", "accept": "image/png"}, 406, "set the header Accept"),
        ({"content_type": "text/csv", "accept": "text/csv;q=0"}, 406, "Accept"),
    ],
    ids=["none", "npy", "utf-16", "gzip", "png", "nothing wanted"],
)
def test_other_formats_are_refused(headers: dict[str, str], status: int, said: str, iris_model: Path) -> None:
    found = ask(application(iris_model), "POST", "/invocations", ROW, **headers)
    assert found.status == status
    assert said in found.error


def test_an_empty_body_is_answered_with_nothing(iris_model: Path) -> None:
    found = ask(application(iris_model), "POST", "/invocations", b"", content_type="text/csv")
    assert (found.status, found.body) == (204, b"")


def test_a_malformed_row_is_named(iris_model: Path) -> None:
    found = ask(application(iris_model), "POST", "/invocations", ROW + b"1,2,x,4\n", content_type="text/csv")
    assert found.status == 400
    assert found.error == 'row 2, column 3: the cell is "x", which is no number'


def test_a_body_larger_than_six_megabytes_is_refused_before_it_is_read(iris_model: Path) -> None:
    limit = 6 * 1024 * 1024
    served = application(iris_model)
    headers = {"content-type": "text/csv", "content-length": str(limit + 1)}
    declared = ask_all(served, [Request("POST", "/invocations", b"1", headers)])[0]
    parts = (b"1" * (limit // 2), b"1" * (limit // 2), b"1")
    counted = ask_all(served, [Request("POST", "/invocations", headers={"content-type": "text/csv"}, parts=parts)])[0]
    assert declared.status == counted.status == 413
    assert declared.headers["connection"] == "close"
    assert str(limit) in declared.error


def test_a_body_of_six_megabytes_in_parts_is_answered(iris_model: Path) -> None:
    size = 6 * 1024 * 1024 // len(ROW)
    body = ROW * size
    parts = tuple(body[at : at + 100_000] for at in range(0, len(body), 100_000))
    found = ask_all(
        application(iris_model), [Request("POST", "/invocations", headers={"content-type": "text/csv"}, parts=parts)]
    )
    assert found[0].status == 200
    assert found[0].body.count(b"\n") == size


def test_batch_transform_learns_how_to_ask(iris_model: Path) -> None:
    usual = ask(application(iris_model, SAGEMAKER_MODEL_SERVER_WORKERS="3"), "GET", "/execution-parameters")
    assert json.loads(usual.body) == {
        "MaxConcurrentTransforms": 3,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }
    batch = application(iris_model, SAGEMAKER_BATCH="true", SAGEMAKER_MAX_PAYLOAD_IN_MB="50")
    assert json.loads(ask(batch, "GET", "/execution-parameters").body)["MaxPayloadInMB"] == 50


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/invocations", 405),
        ("POST", "/ping", 405),
        ("GET", "/", 404),
        ("POST", "/models", 404),
        ("PUT", "/x", 404),
    ],
)
def test_what_is_not_in_the_contract_is_refused(method: str, path: str, status: int, iris_model: Path) -> None:
    assert ask(application(iris_model), method, path).status == status


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SAGEMAKER_BIND_TO_PORT": "x"}, "expected a whole number from 1 to 65535"),
        (
            {"SAGEMAKER_BIND_TO_PORT": "80", "SAGEMAKER_SAFE_PORT_RANGE": "8000-9000"},
            "outside of SAGEMAKER_SAFE_PORT_RANGE",
        ),
        ({"SAGEMAKER_MULTI_MODEL": "maybe"}, "expected true or false"),
        ({"SAGEMAKER_MODEL_SERVER_WORKERS": "0", "MAX_CONTENT_LENGTH": "-1"}, "WORKERS is '0'.*; MAX_CONTENT_LENGTH"),
    ],
    ids=["port", "range", "flag", "two"],
)
def test_wrong_variables_are_told_all_at_once(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read(environment)


def test_without_variables_it_serves_on_port_8080_with_a_process_for_each_processor() -> None:
    found = read({})
    assert found.port == 8080
    assert found.workers >= 1
    assert found.largest_body == 6 * 1024 * 1024
    assert found.folder == Path("/opt/ml/model")
