"""What became of the customers, for an A/B test: outcomes of the answered requests, counted as the API counts them."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from mlops.rehearsal import credentials
from mlops.rehearsal.load import Load

_ROUND_SECONDS = 0.5
_SEED = 5


class Outcomes:
    """Makes up an outcome for each answer of a load, better or not by variant, while the context is entered."""

    def __init__(self, load: Load, table: str, configuration: str, rates: Mapping[str, float]) -> None:
        """Let the customers of each variant succeed at its rate; `table` is that of the API."""
        self._load, self._table, self._configuration, self._rates = load, table, configuration, rates
        self._random = random.Random(_SEED)  # noqa: S311 - made-up customers
        self._done, self._ended = 0, threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._counting: Future[None] | None = None

    def __enter__(self) -> Self:
        """Begin to count."""
        self._counting = self._pool.submit(self._count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Count no more; what went wrong with that is raised here."""
        self._ended.set()
        self._pool.shutdown()
        if self._counting is not None and error is None:
            self._counting.result()

    def _count(self) -> None:
        client = credentials.client("dynamodb")
        while not self._ended.wait(_ROUND_SECONDS):
            requests = self._load.requests()
            found: dict[str, list[int]] = {}
            for request in requests[self._done :]:
                variant = request.attempts[-1].variant if request.attempts else ""
                if request.answer is not None and variant in self._rates:
                    found.setdefault(variant, []).append(self._random.random() < self._rates[variant])
            self._done = len(requests)
            for variant, outcomes in found.items():
                client.update_item(
                    TableName=self._table,
                    Key={"id": {"S": f"outcomes#{self._configuration}#{variant}#0"}},
                    UpdateExpression="ADD n :n, #total :x, squares :x",
                    ExpressionAttributeNames={"#total": "total"},
                    ExpressionAttributeValues={":n": {"N": str(len(outcomes))}, ":x": {"N": str(sum(outcomes))}},
                )
