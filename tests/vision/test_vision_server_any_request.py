"""Ten thousand malformed requests: whatever comes, the answer is never the server's own failure."""

from __future__ import annotations

import asyncio
import io
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segmentation.pictures import read_pixels
from segmentation.server import Limits, Service, application
from tests.vision.asgi_client import ask

REQUESTS = 10_000
TYPES = ["image/png", "image/jpeg", "IMAGE/PNG ; q=1", "image/gif", "text/csv", "", ";", "image/png\x00", "\xff"]
ACCEPTS = ["application/json", "*/*", "", "text/csv", "application/json;q=0", ";;,", "q=\xe9", "*" * 2000, ";q=;q=.;"]
LENGTHS = ["0", "5", "-1", "abc", "9" * 60, "\xb2", "6291457"]


def seeds() -> list[bytes]:
    """Small pictures of all kinds, to be damaged."""
    pixels = np.random.default_rng(1).integers(0, 255, size=(9, 7, 3)).astype(np.uint8)
    found = []
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        ("PNG", "RGB", {}),
        ("PNG", "P", {"transparency": 0}),
        ("PNG", "LA", {"optimize": True}),
        ("PNG", "1", {}),
        ("PNG", "I;16", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("GIF", "P", {}),
    ]
    for kind, mode, options in kinds:
        file = io.BytesIO()
        Image.fromarray(pixels).convert("L" if mode == "I;16" else mode).convert(mode).save(file, kind, **options)
        found.append(file.getvalue())
    return found


def damaged(body: bytes, chance: random.Random) -> bytes:
    data = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at:]
            case 2:
                del data[at : at + chance.randint(1, 9)]
            case 3:
                data[at:at] = chance.randbytes(chance.randint(1, 9))
            case 4:
                data[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
            case _:
                data += data[: chance.randint(0, 200)]
    return bytes(data)


@pytest.mark.filterwarnings("ignore")
def test_no_malformed_request_makes_a_failure_of_the_server() -> None:
    service = Service(Limits())
    service.predict = lambda pixels: {"image": list(pixels.shape)}
    app, pictures = application(service), seeds()
    chance = random.Random(20_261_123)  # noqa: S311 - for a test
    statuses: Counter[int] = Counter()

    async def storm() -> None:
        for _ in range(REQUESTS):
            body = chance.choice([damaged(chance.choice(pictures), chance), chance.randbytes(chance.randrange(60))])
            headers = [("Content-Type", chance.choice(TYPES if chance.random() < 0.2 else TYPES[:2]))]
            headers += [("Accept", chance.choice(ACCEPTS))] if chance.random() < 0.2 else []
            headers += [("Content-Length", chance.choice(LENGTHS))] if chance.random() < 0.1 else []
            method = chance.choice(["POST"] * 30 + ["GET", "PUT", "\xe9"])
            path = chance.choice(["/invocations"] * 30 + ["/ping", "/invocations/../ping", "/\udcff", "//"])
            parts = [body[:9], body[9:]] if chance.random() < 0.1 else body
            answer = await ask(app, method, path, headers=headers, body=parts)
            statuses[answer.status] += 1
            assert answer.status < 500, (answer, method, path, headers, body)

    asyncio.run(storm())
    assert statuses.total() == REQUESTS
    # The damage reaches every way out, the model included.
    assert {200, 204, 400, 404, 405, 406, 413, 415} <= set(statuses), statuses
    assert statuses[400] > REQUESTS / 4


def test_every_picture_is_readable_before_it_is_damaged() -> None:
    pngs_and_jpegs = seeds()[:-1]
    assert [read_pixels(one).shape for one in pngs_and_jpegs] == [(9, 7, 3)] * len(pngs_and_jpegs)
