"""The routes of multi-model endpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabular.server import Application
from tabular.settings import read
from tests.tabular.tabular_world import Answer, Request, ask, ask_all

ROW = b"5.1,3.5,1.4,0.2\n"


def served(folder: Path) -> Application:
    folder.mkdir(exist_ok=True)
    return Application(read({"SAGEMAKER_MULTI_MODEL": "true"}), folder)


def load(application: Application, name: str, url: Path | str) -> Answer:
    return ask(application, "POST", "/models", json.dumps({"model_name": name, "url": str(url)}).encode())


def test_it_is_healthy_without_a_model(tmp_path: Path) -> None:
    assert ask(served(tmp_path), "GET", "/ping").status == 200
    assert json.loads(ask(served(tmp_path), "GET", "/models").body) == {"models": []}


def test_a_model_is_loaded_asked_listed_and_unloaded(tmp_path: Path, iris_model: Path) -> None:
    one = served(tmp_path)
    assert load(one, "iris", iris_model).status == 200
    assert ask(one, "POST", "/models/iris/invoke", ROW, content_type="text/csv").body == b"1.0,0.0,0.0\n"
    assert json.loads(ask(one, "GET", "/models").body) == {
        "models": [{"modelName": "iris", "modelUrl": str(iris_model)}]
    }
    assert json.loads(ask(one, "GET", "/models/iris").body) == {"modelName": "iris", "modelUrl": str(iris_model)}
    assert ask(one, "DELETE", "/models/iris").status == 200
    for method, path in (("POST", "/models/iris/invoke"), ("GET", "/models/iris"), ("DELETE", "/models/iris")):
        assert ask(one, method, path, ROW, content_type="text/csv").status == 404


def test_all_processes_know_what_one_of_them_loaded(tmp_path: Path, iris_model: Path, number_model: Path) -> None:
    first, second = served(tmp_path), served(tmp_path)
    assert load(first, "m", iris_model).status == 200
    assert ask(second, "POST", "/models/m/invoke", ROW, content_type="text/csv").status == 200
    assert load(second, "m", iris_model).status == 409
    assert ask(second, "DELETE", "/models/m").status == 200
    assert ask(first, "POST", "/models/m/invoke", ROW, content_type="text/csv").status == 404
    assert load(second, "m", number_model).status == 200
    assert ask(first, "POST", "/models/m/invoke", b"1,2,3", content_type="text/csv").status == 200


def test_a_model_that_does_not_fit_is_answered_with_507(
    tmp_path: Path, iris_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tabular.shelf.Model", full)
    found = load(served(tmp_path), "iris", iris_model)
    assert found.status == 507
    assert "unload another one" in found.error


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{", b'{"model_name": 1, "url": "/x"}', b'{"model_name": "", "url": "/x"}'),
        *(b'{"model_name": "a/b", "url": "/x"}', b'{"model_name": "a", "url": "x"}'),
        *(b'{"model_name": "a", "url": "/\\u0000"}', b'{"model_name": "a", "url": "/none"}'),
        b'{"model_name": "a", "url": "' + b"/x" * 4000 + b'"}',
    ],
    ids=range(10),
)
def test_what_cannot_be_loaded_is_refused_with_400(body: bytes, tmp_path: Path) -> None:
    found = ask(served(tmp_path), "POST", "/models", body)
    assert found.status == 400
    assert found.error


def test_a_long_list_comes_in_pages(tmp_path: Path, iris_model: Path) -> None:
    one = served(tmp_path)
    names = [f"m{number}" for number in range(5)]
    bodies = [json.dumps({"model_name": name, "url": str(iris_model)}).encode() for name in names]
    assert {found.status for found in ask_all(one, [Request("POST", "/models", body) for body in bodies])} == {200}
    listed: list[str] = []
    token = ""
    while True:
        page = json.loads(ask(one, "GET", f"/models?limit=2&next_page_token={token}").body)
        listed += [model["modelName"] for model in page["models"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert listed == names
    assert ask(one, "GET", "/models?limit=0").status == 400


def test_there_is_no_single_model_to_ask(tmp_path: Path) -> None:
    assert ask(served(tmp_path), "POST", "/invocations", ROW, content_type="text/csv").status == 404
