"""The table of the API: which inference was answered by what, what became of it, and who asked how often.

Items: `inference#<id>`; `outcomes#<configuration>#<variant>#<shard>#<share>`, which hold number, sum and sum of
squares of the outcomes, so that an experiment is judged by a few reads; and `quota#<caller>#<day>`.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.api.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_DAYS = 90
"""How long feedback is possible."""
SHARDS = 8
"""Of each counter: one item takes about a thousand writes a second."""
DIGITS = 12
"""Of an outcome: its square still fits into the 38 digits of a number in DynamoDB."""
_CONFLICTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Inference:
    """What answered a request."""

    inference_id: str
    model: str
    configuration: str
    variant: str
    share: int
    """Of the challenger, in percent, when it answered: outcomes are compared within one share, because those that come
    late are missing from the newest requests, and a challenger whose share has grown has more of these."""


class Table:
    """Reads and writes the table."""

    def __init__(
        self,
        dynamodb: Any,
        name: str,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use the client `dynamodb`; `clock` tells the Unix time in seconds."""
        self._dynamodb, self._name, self._clock, self._sleep = dynamodb, name, clock, sleep

    def keep(self, inference: Inference) -> None:
        """Keep what answered, so that its outcome can be counted for it."""
        now = self._clock()
        self._dynamodb.put_item(
            TableName=self._name,
            Item={
                "id": {"S": f"inference#{inference.inference_id}"},
                "model": {"S": inference.model},
                "configuration": {"S": inference.configuration},
                "variant": {"S": inference.variant},
                "share": {"N": str(inference.share)},
                "at": {"S": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")},
                "expires": {"N": str(int(now) + KEPT_DAYS * 86_400)},
            },
        )

    def find(self, model: str, inference_id: str) -> Inference:
        """Return an inference of `model`.

        Raises:
            ProblemError: there is none of that id, or no longer (404).
        """
        item = self._dynamodb.get_item(
            TableName=self._name, Key={"id": {"S": f"inference#{inference_id}"}}, ConsistentRead=True
        ).get("Item")
        if item is None or item["model"]["S"] != model or int(item["expires"]["N"]) < self._clock():
            msg = f"{model} has no inference {inference_id}; feedback is possible for {KEPT_DAYS} days"
            raise ProblemError(404, msg)
        return Inference(
            inference_id=inference_id,
            model=model,
            configuration=item["configuration"]["S"],
            variant=item["variant"]["S"],
            share=int(item["share"]["N"]),
        )

    def record(self, inference: Inference, outcome: float) -> None:
        """Set the outcome of an inference and count it, both or neither.

        Raises:
            ProblemError: it has an outcome already (409), or too many are counted at once (503).
        """
        number = _text(outcome)
        shard = int(hashlib.sha256(inference.inference_id.encode()).hexdigest(), 16) % SHARDS
        counter = f"outcomes#{inference.configuration}#{inference.variant}#{shard}#{inference.share}"
        writes = [
            {
                "Update": {
                    "TableName": self._name,
                    "Key": {"id": {"S": f"inference#{inference.inference_id}"}},
                    "UpdateExpression": "SET outcome = :outcome",
                    "ConditionExpression": "attribute_exists(id) AND attribute_not_exists(outcome)",
                    "ExpressionAttributeValues": {":outcome": {"N": number}},
                }
            },
            {
                "Update": {
                    "TableName": self._name,
                    "Key": {"id": {"S": counter}},
                    "UpdateExpression": "ADD n :one, #total :outcome, squares :square",
                    "ExpressionAttributeNames": {"#total": "total"},
                    "ExpressionAttributeValues": {
                        ":one": {"N": "1"},
                        ":outcome": {"N": number},
                        ":square": {"N": _text(outcome * outcome)},
                    },
                }
            },
        ]
        for attempt in range(_CONFLICTS):
            try:
                self._dynamodb.transact_write_items(TransactItems=writes)
            except self._dynamodb.exceptions.TransactionCanceledException as error:
                codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
                if "ConditionalCheckFailed" in codes:
                    msg = f"inference {inference.inference_id} has an outcome already; it is counted once"
                    raise ProblemError(409, msg) from error
                if "TransactionConflict" not in codes:
                    raise
                self._sleep(0.02 * 2**attempt)
            else:
                return
        raise ProblemError(503, "too many outcomes are counted at once", headers={"Retry-After": "1"})

    def count(self, caller: str, quota: int) -> None:
        """Count a request of `caller` for today, in UTC.

        Raises:
            ProblemError: the quota of the day is used up (429).
        """
        now = datetime.fromtimestamp(self._clock(), UTC)
        who = hashlib.sha256(caller.encode()).hexdigest()[:32]
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            self._dynamodb.update_item(
                TableName=self._name,
                Key={"id": {"S": f"quota#{who}#{now:%Y-%m-%d}"}},
                UpdateExpression="ADD n :one SET expires = :expires",
                ConditionExpression="attribute_not_exists(n) OR n < :quota",
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":quota": {"N": str(quota)},
                    ":expires": {"N": str(int(midnight.timestamp()) + 86_400)},
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            wait = math.ceil((midnight - now).total_seconds())
            msg = f"{quota:,} predictions a day are allowed; the next day begins at midnight UTC"
            raise ProblemError(429, msg, headers={"Retry-After": str(wait)}) from error


def _text(value: float) -> str:
    """Return a number as DynamoDB takes it: with a few digits, and none that is too close to 0 to be one."""
    return f"{value:.{DIGITS}g}" if abs(value) > 1e-100 else "0"  # noqa: PLR2004 - DynamoDB's least is 1e-130
