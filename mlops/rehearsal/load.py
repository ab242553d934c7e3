"""Traffic on an endpoint, from a process of its own: signed, over connections that stay, at a constant rate."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from mlops.rehearsal import credentials, load_client, processes
from mlops.rehearsal.timeline import TIMELINE

RETRIES = 2
"""How often a failed request is tried again, as the prediction API does."""
DEADLINE_SECONDS = 10.0
"""When a request that has no answer is lost."""
_START_SECONDS = 20.0
_HASTE_SECONDS = 0.5
_POLL_SECONDS = 0.05
_OK = 200


class LoadError(RuntimeError):
    """No requests could be sent; the message says why."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a request.

    Attributes:
        status: of the answer; 0 where there was none.
        milliseconds: it took.
        variant: that answered.

    """

    status: int
    milliseconds: float
    variant: str

    @property
    def failed(self) -> bool:
        """Whether there was no good answer."""
        return self.status != _OK


@dataclass(frozen=True, slots=True)
class Request:
    """One request as its client saw it, tries included.

    Attributes:
        row: which of the rows was sent.
        due: when, in seconds of the timeline.
        ended: when its client had the answer or gave up.
        attempts: each try.
        answer: the body; None where the request is lost.

    """

    row: int
    due: float
    ended: float
    attempts: tuple[Attempt, ...]
    answer: str | None

    @property
    def milliseconds(self) -> float:
        """What its client waited, from the moment when it was due."""
        return 1000 * (self.ended - self.due)


class Load:
    """Requests to `endpoint` while the context is entered; afterwards, and meanwhile, `requests()` tells of them."""

    def __init__(
        self, endpoint: str, rows: Sequence[str], *, rate: float, account: str, region: str, retries: int = RETRIES
    ) -> None:
        """Send `rows` (CSV without label) in turn, `rate` a second, as the operator of `account`.

        Raises:
            ValueError: there are no rows, or the rate is not above 0.

        """
        if not rows or not rate > 0:
            msg = f"traffic needs rows and a rate above 0 requests per second, got {len(rows)} rows and {rate}"
            raise ValueError(msg)
        self._endpoint, self._rows, self.rate, self._retries = endpoint, list(rows), rate, retries
        self._account, self._region = account, region
        self._folder = tempfile.TemporaryDirectory(prefix="mlops-load-")
        self._plan, self._results, self._said = (
            Path(self._folder.name) / name for name in ("plan.json", "results.jsonl", "said.txt")
        )
        self._child: Popen[bytes] | None = None
        self._kept: list[Request] | None = None

    def __enter__(self) -> Self:
        """Begin, and return when the first request has been answered.

        Raises:
            LoadError: the program ended, or nothing was answered.

        """
        self._plan.write_text(json.dumps(self._planned()), encoding="utf-8")
        command = [sys.executable, "-P", load_client.__file__, str(self._plan), str(self._results)]
        with self._said.open("wb") as said:
            self._child = processes.spawn(
                command, env=processes.clean_environment(), cwd=self._folder.name, stdout=said
            )
        limit = time.monotonic() + _START_SECONDS
        while not (self._results.exists() and self._results.stat().st_size):
            if self._child.poll() is not None or time.monotonic() > limit:
                words = self._said.read_text(encoding="utf-8").strip()
                self._end(grace=_HASTE_SECONDS)
                msg = f"no request to {self._endpoint} was answered: {words or 'the program said nothing'}"
                raise LoadError(msg)
            time.sleep(_POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send no more; what is under way gets its answer, unless something went wrong."""
        self._end(grace=DEADLINE_SECONDS + 1 if error is None else _HASTE_SECONDS)

    def requests(self) -> list[Request]:
        """Return the requests so far, in the order in which they ended."""
        return list(_read(self._results)) if self._kept is None else self._kept

    def _end(self, *, grace: float) -> None:
        if self._child is not None:
            processes.end(self._child, grace=grace)
            self._kept = self.requests() if self._results.exists() else []
            self._child = None
            self._folder.cleanup()

    def _planned(self) -> dict[str, object]:
        url, keys = urlsplit(credentials.endpoint()), credentials.operator(self._account)
        return {
            "host": url.hostname,
            "port": url.port,
            "region": self._region,
            "accessKeyId": keys.access_key_id,
            "secretAccessKey": keys.secret_access_key,
            "sessionToken": keys.session_token,
            "endpoint": self._endpoint,
            "headers": {"Content-Type": "text/csv"},
            "rows": self._rows,
            "rate": self.rate,
            "retries": self._retries,
            "deadlineSeconds": DEADLINE_SECONDS,
        }


def _read(path: Path) -> Iterator[Request]:
    began = time.monotonic() - TIMELINE.elapsed()  # the clock of the machine is that of both processes
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):  # the last one may be half written
            row, due, ended, attempts, answer = json.loads(line)
            yield Request(row, due - began, ended - began, tuple(Attempt(*one) for one in attempts), answer)


def attempts_of(requests: Sequence[Request]) -> list[Attempt]:
    """Return every try of `requests`."""
    return list(chain.from_iterable(request.attempts for request in requests))
