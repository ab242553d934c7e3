"""Captured answers of the two variants, joined by request.

SageMaker writes what it captures as JSON lines below `<destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/`, in files
whose names begin with minutes and seconds, so that their order is that of time
(https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambdas.judge_trial.answers import Captured, differ
from lambdas.judge_trial.services import CHAMPION, SHADOW
from lambdas.shared.errors import EventError
from lambdas.shared.events import read
from lambdas.shared.storage import Storage, split_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lambdas.judge_trial.events import ShadowEvent, ShadowState

FILE_LIMIT = 64 * 1024 * 1024
PAIRS_PER_HOUR = 20_000
"""How many answers of the candidate are compared of each hour, the first ones: more would not change a decision."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """How many pairs of answers there are so far, and how many of them differ."""

    pairs: int
    different: int
    state: ShadowState
    """With the pairs of complete hours, which are not read again."""


class Captures:
    """Answers that SageMaker has captured at one endpoint."""

    def __init__(self, s3: Any, *, folder: str) -> None:
        """Use the client `s3`; `folder` is that of the endpoint, without a slash at the end."""
        self._s3, self._storage, self._folder = s3, Storage(s3), folder

    def begin(self, state: ShadowState) -> Compared:
        """Return the state from which on captures count: those that are there already are of an earlier trial."""
        marks = {
            variant: max((key for key, _ in self._keys(variant, "")), default="") for variant in (CHAMPION, SHADOW)
        }
        begun = state.model_copy(update={"champion_after": marks[CHAMPION], "shadow_after": marks[SHADOW]})
        return Compared(pairs=0, different=0, state=begun)

    def compare(self, asked: ShadowEvent) -> Compared:
        """Return the pairs of all hours so far.

        An hour is complete when another one follows with answers of both variants: its pairs are added to the state.
        Those of the last hour are counted at each look anew.
        """
        state, tolerance = asked.state, asked.rollout.tolerance
        champion = self._hours(CHAMPION, state.champion_after, state.hour)
        candidate = self._hours(SHADOW, state.shadow_after, state.hour)
        hours = sorted(champion.keys() & candidate.keys())
        pairs, different = state.pairs, state.different
        for hour in hours:
            found = self._pairs(champion[hour], candidate[hour], tolerance)
            pairs, different = pairs + found[0], different + found[1]
            if hour != hours[-1]:
                state = state.model_copy(update={"hour": hour, "pairs": pairs, "different": different})
        return Compared(pairs=pairs, different=different, state=state)

    def _last(self, variant: str) -> str:
        return max((key for key, _ in self._keys(variant, "")), default="")

    def _hours(self, variant: str, after: str, done: str) -> dict[str, list[str]]:
        """Return the files of a variant by hour, those after the key `after` and the hour `done`."""
        found: dict[str, list[str]] = {}
        for key, uri in self._keys(variant, after):
            hour = "/".join(key.split("/")[-5:-1])
            if hour > done:
                found.setdefault(hour, []).append(uri)
        return found

    def _keys(self, variant: str, after: str) -> Iterator[tuple[str, str]]:
        """Yield key and URI of the files of a variant after the key `after`, in the order of time."""
        bucket, prefix = split_uri(f"{self._folder}/{variant}/")
        given = {"Bucket": bucket, "Prefix": prefix} | ({"StartAfter": after} if after else {})
        for page in self._s3.get_paginator("list_objects_v2").paginate(**given):
            for item in page.get("Contents", []):
                yield item["Key"], f"s3://{bucket}/{item['Key']}"

    def _pairs(self, champion: Sequence[str], candidate: Sequence[str], tolerance: float) -> tuple[int, int]:
        """Return how many requests both have answered, and how many of the answers differ."""
        waiting: dict[str, str] = {}
        for captured in self._read(candidate):
            waiting[captured.key] = captured.answer()
            if len(waiting) == PAIRS_PER_HOUR:
                break
        pairs = different = 0
        for captured in self._read(champion):
            if captured.key not in waiting:
                continue
            pairs += 1
            different += differ(captured.answer(), waiting.pop(captured.key), tolerance)
            if not waiting:
                break
        return pairs, different

    def _read(self, files: Sequence[str]) -> Iterator[Captured]:
        for file in files:
            for number, line in enumerate(self._storage.lines(file, limit=FILE_LIMIT), start=1):
                what = f"line {number} of {file}"
                yield read(Captured, _parsed(line, what), what=what)


def _parsed(line: str, what: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        msg = f"{what} is not JSON: {error}"
        raise EventError(msg) from error
