"""The program that sends requests to an endpoint: `python load_client.py PLAN RESULTS`, until SIGTERM.

Open loop: request n is due n / rate seconds after the beginning, whatever became of those before it, and its latency
counts from then; a server that stalls is not spared the requests that would have come meanwhile. The connections are
kept alive. A failed attempt is tried again as the prediction API does it. RESULTS gets one line of JSON a request:
[row, due, ended, [[status, milliseconds, variant], ...], answer or null], in seconds of the machine's monotonic clock.

It runs beside the emulated AWS on the same machine, so it is a file of its own that imports as little as it can.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_OK, _TOO_MANY, _MODEL_ERROR, _SERVER_ERROR = 200, 429, 424, 500
_NO_ANSWER = 0
"""Stands for the status of an attempt that got no answer at all."""
_BACKOFF_SECONDS = 0.05
_FLUSH_SECONDS = 0.2
_VARIANT = b"x-amzn-invoked-production-variant"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    variant: str
    body: str


class _Connections:
    """Connections to one server that are used again."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def exchange(self, request: bytes) -> _Answer:
        """Send a request and return its answer.

        Raises:
            OSError: the connection broke.
            EOFError: the server closed it in the middle of the answer.

        """
        reader, writer = await self._take()
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in head[1:])}
            body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
        except BaseException:
            writer.close()
            raise
        if headers.get(b"connection", b"").lower() == b"close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return _Answer(int(head[0].split()[1]), headers.get(_VARIANT, b"").decode(), body.decode(errors="replace"))

    async def _take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        """Close those that are not in use."""
        for _, writer in self._idle:
            writer.close()


class _Client:
    """Sends what a plan says and writes down what came of it."""

    def __init__(self, plan: dict[str, Any], results: TextIO) -> None:
        self._plan, self._results = plan, results
        self._connections = _Connections(plan["host"], plan["port"])
        keys = Credentials(plan["accessKeyId"], plan["secretAccessKey"], plan["sessionToken"])
        self._signer = SigV4Auth(keys, "sagemaker", plan["region"])
        self._stopped = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send requests until SIGTERM; those under way get their answers."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stopped.set)
        flusher = asyncio.create_task(self._flush())
        for row, due in self._schedule():
            if (early := due - time.monotonic()) > 0 and await self._stops_within(early):
                break
            task = asyncio.create_task(self._request(row, due))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            if self._stopped.is_set():
                break
        await asyncio.gather(*self._open)
        flusher.cancel()
        self._connections.close()

    def _schedule(self) -> Iterator[tuple[int, float]]:
        began, rows, rate, number = time.monotonic(), len(self._plan["rows"]), self._plan["rate"], 0
        while True:
            yield number % rows, began + number / rate
            number += 1

    async def _stops_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _request(self, row: int, due: float) -> None:
        deadline, attempts = due + self._plan["deadlineSeconds"], []
        answer = None
        for number in range(1 + self._plan["retries"]):
            if number:
                await asyncio.sleep(random.random() * _BACKOFF_SECONDS * 2**number)  # noqa: S311 - no secret
            began = time.monotonic()
            if began >= deadline:
                break
            answer = await self._attempt(row, deadline - began)
            attempts.append([answer.status, round(1000 * (time.monotonic() - began), 2), answer.variant])
            if answer.status == _OK or not _worth_another(answer.status):
                break
        body = answer.body if answer is not None and answer.status == _OK else None
        ended = time.monotonic()
        self._results.write(json.dumps([row, round(due, 4), round(ended, 4), attempts, body]) + "\n")

    async def _attempt(self, row: int, seconds: float) -> _Answer:
        try:
            async with asyncio.timeout(seconds):
                return await self._connections.exchange(self._signed(self._plan["rows"][row].encode()))
        except (OSError, EOFError) as error:  # TimeoutError is an OSError, IncompleteReadError an EOFError
            return _Answer(_NO_ANSWER, "", f"{type(error).__name__}")

    def _signed(self, body: bytes) -> bytes:
        host, path = f"{self._plan['host']}:{self._plan['port']}", f"/endpoints/{self._plan['endpoint']}/invocations"
        request = AWSRequest("POST", f"http://{host}{path}", data=body, headers=self._plan["headers"])
        self._signer.add_auth(request)
        headers = {"Host": host, "Content-Length": str(len(body)), **dict(request.headers)}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._results.flush()


def _worth_another(status: int) -> bool:
    return status in (_NO_ANSWER, _MODEL_ERROR, _TOO_MANY) or status >= _SERVER_ERROR


def main(plan: Path, results: Path) -> None:
    """Send what `plan` says and write to `results`."""
    with results.open("w", encoding="utf-8") as file:
        asyncio.run(_Client(json.loads(plan.read_text(encoding="utf-8")), file).run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
