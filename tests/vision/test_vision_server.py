from __future__ import annotations

import asyncio
import io
import itertools
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from segmentation.job import JobError
from segmentation.run_length import encode
from segmentation.serve_program import read_environment
from segmentation.server import Limits, Service, accepts_json, application
from tests.vision.asgi_client import Answer, ask

PNG, JPEG = ("Content-Type", "image/png"), ("Content-Type", "image/jpeg")


def bright(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """Finds one object: what is bright. It needs no PyTorch."""
    mask = pixels.mean(axis=2) > 127
    return {"boxes": [], "labels": ["bright"], "scores": [1.0], "masks": [encode(mask).document()]}


def service(**limits: int) -> Service:
    made = Service(Limits(**limits))
    made.predict = bright
    return made


def picture(kind: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (3, 2)) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, "white").save(file, kind)
    return file.getvalue()


def post(body: bytes | list[bytes], *headers: tuple[str, str], to: Service | None = None) -> Answer:
    return asyncio.run(ask(application(to or service()), "POST", "/invocations", headers=headers, body=body))


def get(path: str, to: Service) -> Answer:
    return asyncio.run(ask(application(to), "GET", path))


def test_ping_is_healthy_only_when_the_model_is_loaded() -> None:
    one = Service(Limits())
    assert get("/ping", one).status == 503
    one.predict = bright
    assert get("/ping", one).status == 200


def test_without_a_model_a_picture_is_told_to_wait() -> None:
    assert post(picture(), PNG, to=Service(Limits())).status == 503


@pytest.mark.parametrize(("kind", "header"), [("PNG", PNG), ("JPEG", JPEG)])
def test_a_picture_is_answered_with_masks(kind: str, header: tuple[str, str]) -> None:
    answer = post(picture(kind), header, ("Accept", "application/json"))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.document["masks"] == [{"size": [2, 3], "counts": [0, 6]}]
    assert {"version", "boxes", "labels", "scores", "seconds"} <= set(answer.document)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_png_is_read(mode: str) -> None:
    file = io.BytesIO()
    values = np.full((2, 3), 65535, dtype=np.uint16)
    (Image.fromarray(values) if mode == "I;16" else Image.new("L", (3, 2), 255).convert(mode)).save(file, "PNG")
    answer = post(file.getvalue(), PNG)
    assert answer.status == 200, answer.body
    assert answer.document["masks"][0]["counts"] == [0, 6]


def test_an_empty_body_has_an_empty_answer() -> None:
    answer = post(b"", PNG)
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize(
    "headers", [[], [("Content-Type", "text/csv")], [PNG, ("Content-Encoding", "gzip")]], ids=["none", "csv", "gzip"]
)
def test_a_body_that_is_said_to_be_no_picture_is_415(headers: list[tuple[str, str]]) -> None:
    answer = post(picture(), *headers)
    assert answer.status == 415
    assert answer.document["error"].startswith("the body is not image/png or image/jpeg")


def test_an_answer_that_is_not_wanted_as_json_is_406() -> None:
    assert post(picture(), PNG, ("Accept", "text/csv")).status == 406


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", True),
        ("*/*", True),
        ("text/html, application/*;q=0.1", True),
        ("APPLICATION/JSON; charset=utf-8", True),
        ("application/json;q=0", False),
        ("*/*;q=0.5, application/json;q=0.0", False),
        ("*/*;q=0, application/json", True),
        ("application/json, */*;q=0", True),
        ("image/png", False),
        (",;,", False),
    ],
)
def test_accept_is_read_as_http_defines_it(accept: str, wanted: bool) -> None:  # noqa: FBT001 - a case
    assert accepts_json(accept) is wanted


@pytest.mark.parametrize(
    ("body", "header", "reason"),
    [
        (b"no picture", PNG, "the body is not image/png: it cannot be decoded"),
        (picture("JPEG"), PNG, "the body is not image/png: it cannot be decoded"),
        (picture("PNG"), JPEG, "the body is not image/jpeg: it cannot be decoded"),
        (picture("PNG", size=(64, 64))[:-40], PNG, "the body is not image/png: it cannot be decoded"),
        (picture(size=(301, 3)), PNG, "the body is not image/png: the picture has 301 x 3 pixels"),
    ],
    ids=["text", "jpeg as png", "png as jpeg", "cut off", "too thin"],
)
def test_bytes_that_are_no_such_picture_are_400(body: bytes, header: tuple[str, str], reason: str) -> None:
    answer = post(body, header)
    assert answer.status == 400
    assert answer.document["error"].startswith(reason)


def test_a_body_above_the_limit_is_413_whether_it_says_so_or_not() -> None:
    small = service(body=1000)
    declared = post(b"", PNG, ("Content-Length", "1001"), to=small)
    streamed = post([b"a" * 600, b"a" * 600], PNG, to=small)
    assert (declared.status, streamed.status) == (413, 413)
    assert declared.headers["connection"] == streamed.headers["connection"] == "close"


def test_few_bytes_that_unfold_to_many_pixels_are_413_before_they_do() -> None:
    bomb = picture(mode="1", size=(20_000, 20_000))
    assert len(bomb) < 100_000
    answer = post(bomb, PNG)
    assert (answer.status, answer.document["error"].partition(",")[0]) == (413, "the picture has 20000 x 20000 pixels")


def test_a_server_with_its_hands_full_says_so_and_goes_on() -> None:
    go = threading.Event()

    def slow(pixels: NDArray[np.uint8]) -> dict[str, Any]:
        go.wait(10)
        return bright(pixels)

    async def crowd() -> list[int]:
        one = service(waiting=1)
        one.predict = slow
        app = application(one)
        tasks = [asyncio.create_task(ask(app, "POST", "/invocations", headers=[PNG], body=picture())) for _ in range(4)]
        refused = [await task for task in itertools.islice(asyncio.as_completed(tasks), 2)]
        assert [answer.status for answer in refused] == [503, 503]
        assert (await ask(app, "GET", "/ping")).status == 200
        go.set()
        return sorted([answer.status for answer in await asyncio.gather(*tasks)])

    assert asyncio.run(crowd()) == [200, 200, 503, 503]


def test_batch_transform_is_asked_for_one_picture_a_request() -> None:
    assert get("/execution-parameters", service(at_once=2)).document == {
        "MaxConcurrentTransforms": 4,
        "BatchStrategy": "SINGLE_RECORD",
        "MaxPayloadInMB": 6,
    }


@pytest.mark.parametrize(("path", "status"), [("/", 404), ("/ping/", 404), ("/models", 404), ("/invocations", 405)])
def test_other_paths_and_methods_are_refused(path: str, status: int) -> None:
    answer = get(path, service())
    assert (answer.status, list(answer.document)) == (status, ["error"])


def test_a_client_that_leaves_breaks_nothing() -> None:
    async def leave() -> Answer:
        # More is announced than comes.
        return await ask(application(service()), "POST", "/invocations", headers=[PNG], body=[])

    assert asyncio.run(leave()).status == 400


def test_the_environment_names_port_and_size() -> None:
    assert read_environment({}) == (8080, 6 * 2**20)
    told = {
        "SAGEMAKER_BIND_TO_PORT": "9001",
        "SAGEMAKER_SAFE_PORT_RANGE": "9000-9999",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
    }
    assert read_environment(told) == (9001, 100 * 2**20)


def test_all_that_is_wrong_in_the_environment_is_named_at_once() -> None:
    wrong = {"SAGEMAKER_BIND_TO_PORT": "80x", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "101"}
    with pytest.raises(JobError, match=r"BIND_TO_PORT is '80x'.*MAX_PAYLOAD_IN_MB is '101'"):
        read_environment(wrong)


def test_a_port_outside_the_safe_range_is_refused() -> None:
    with pytest.raises(JobError, match="8081 lies outside of SAGEMAKER_SAFE_PORT_RANGE=9000-9999"):
        read_environment({"SAGEMAKER_BIND_TO_PORT": "8081", "SAGEMAKER_SAFE_PORT_RANGE": "9000-9999"})
