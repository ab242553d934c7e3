"""The rules that are about requests, asked of a server that is healthy."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from mlops.container.rules import PREFIX, SERVE, Finding, Status
from mlops.container.sample import Sample
from mlops.container.serving import Answer, Server

CSV, JSON, UNKNOWN = "text/csv", "application/json", "application/x-unknown"
WORD = "spam"
"""What stands where a number should."""
OVERSIZED = 101 * 1024 * 1024
_SINGLE_ROWS = 5
_TOLERANCE = 1e-6
_EXECUTION_PARAMETERS = ("MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB")


def findings(server: Server, sample: Sample, labels: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what there is to say about requests."""
    checks = _Requests(server, sample, labels)
    yield from checks.csv()
    yield checks.json()
    yield checks.alone()
    yield checks.status("content-type-415", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, headers={"Content-Type": UNKNOWN})
    yield checks.status("accept-406", HTTPStatus.NOT_ACCEPTABLE, headers={"Accept": UNKNOWN})
    yield checks.status("empty-204", HTTPStatus.NO_CONTENT, body=b"")
    yield checks.malformed()
    yield checks.narrow()
    yield checks.oversized()
    yield checks.execution_parameters()


class _Requests:
    def __init__(self, server: Server, sample: Sample, labels: Mapping[str, str]) -> None:
        self._server = server
        self._sample = sample
        self._labels = labels
        self._body = sample.request.read_bytes()
        self._lines: list[str] = []

    def csv(self) -> Iterator[Finding]:
        if not self._sample.rows:
            yield from (self._no_rows(name) for name in ("csv", "one-line-per-row"))
            return
        answer = self._ask(self._body)
        problem = _unlike(answer, HTTPStatus.OK) or ("" if answer.content_type.startswith(CSV) else _typed(answer))
        yield _finding("csv", problem)
        if problem:
            yield Finding(SERVE["one-line-per-row"], Status.NOT_CHECKED, "there is no answer in CSV")
            return
        self._lines = answer.text.removesuffix("\n").replace("\r\n", "\n").split("\n")
        count, expected = len(self._lines), len(self._sample.rows)
        yield _finding("one-line-per-row", "" if count == expected else f"{count} lines for {expected} rows")

    def json(self) -> Finding:
        if self._sample.request_json is not None:
            body = self._sample.request_json.read_bytes()
        elif self._sample.rows:
            body = json.dumps({"instances": [[_number(text) for text in row] for row in self._sample.rows]}).encode()
        else:
            return self._no_rows("json")
        answer = self._server.ask("POST", "/invocations", body, {"Content-Type": JSON, "Accept": JSON})
        if answer.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE and not self._claims("json"):
            return Finding(SERVE["json"], Status.NOT_OFFERED, "it answers 415")
        return _finding("json", _unlike(answer, HTTPStatus.OK) or _no_predictions(answer, _rows_in(body)))

    def alone(self) -> Finding:
        rule = "batch-equals-single"
        if len(self._lines) != len(self._sample.rows) or not self._lines:
            return Finding(SERVE[rule], Status.NOT_CHECKED, "there is no line for each row")
        for position, row in enumerate(self._sample.rows[:_SINGLE_ROWS]):
            answer = self._ask(_csv([row]))
            single = answer.text.strip()
            if answer.status != HTTPStatus.OK or not _equal(single, self._lines[position]):
                said = single if answer.status == HTTPStatus.OK else _unlike(answer, HTTPStatus.OK)
                return _finding(rule, f"row {position + 1}: {said} alone, {self._lines[position]} among others")
        return _finding(rule, "")

    def status(
        self, rule: str, expected: HTTPStatus, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Finding:
        return _finding(rule, _unlike(self._ask(self._body if body is None else body, headers), expected))

    def malformed(self) -> Finding:
        rule = "malformed-400"
        if not self._sample.rows:
            return self._no_rows(rule)
        rows = [list(row) for row in self._sample.rows]
        numbers = [at for at, text in enumerate(rows[1]) if isinstance(_number(text), float)]
        if not numbers:
            return Finding(SERVE[rule], Status.NOT_CHECKED, "no value in the second row of the request is a number")
        column = numbers[-1]
        rows[1][column] = WORD
        answer = self._ask(_csv(rows))
        problem = _unlike(answer, HTTPStatus.BAD_REQUEST)
        if not problem and not (_names("row|line", 2, answer) and _names("column|feature", column + 1, answer)):
            problem = f"the text names not row 2 and column {column + 1}: {_short(answer)}"
        return _finding(rule, problem)

    def narrow(self) -> Finding:
        rule = "wrong-columns-400"
        if not self._sample.rows or len(self._sample.rows[1]) == 1:
            return self._no_rows(rule)
        rows = [list(row) for row in self._sample.rows]
        del rows[1][-1]
        answer = self._ask(_csv(rows))
        problem = _unlike(answer, HTTPStatus.BAD_REQUEST)
        if not problem and not _names("row|line", 2, answer):
            problem = f"the text names not row 2: {_short(answer)}"
        return _finding(rule, problem)

    def oversized(self) -> Finding:
        line = self._body.splitlines(keepends=True)[0] if self._sample.rows else self._body
        chunk = line * max(1, 1024 * 1024 // max(1, len(line)))
        answer = self._server.announce(OVERSIZED, self._sample.content_type, chunk=chunk)
        return _finding("oversized-413", _unlike(answer, HTTPStatus.REQUEST_ENTITY_TOO_LARGE))

    def execution_parameters(self) -> Finding:
        rule = "execution-parameters"
        answer = self._server.ask("GET", "/execution-parameters")
        if answer.status == HTTPStatus.NOT_FOUND and not self._claims(rule):
            return Finding(SERVE[rule], Status.NOT_OFFERED, "it answers 404")
        problem = _unlike(answer, HTTPStatus.OK)
        if not problem:
            given = _parsed(answer)
            absent = [name for name in _EXECUTION_PARAMETERS if not isinstance(given, dict) or name not in given]
            problem = f"{', '.join(absent)} missing" if absent else ""
        return _finding(rule, problem)

    def _ask(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return self._server.ask(
            "POST", "/invocations", body, {"Content-Type": self._sample.content_type, **(headers or {})}
        )

    def _claims(self, capability: str) -> bool:
        return self._labels.get(f"{PREFIX}{capability}", "").lower() == "true"

    @staticmethod
    def _no_rows(name: str) -> Finding:
        return Finding(SERVE[name], Status.NOT_OFFERED, "the sample has no request in rows")


def _finding(name: str, problem: str) -> Finding:
    return Finding(SERVE[name], Status.FAILED if problem else Status.PASSED, problem)


def _unlike(answer: Answer, expected: HTTPStatus) -> str:
    if answer.status == expected:
        return ""
    given = f"{answer.status} ({_short(answer)})" if answer.status else "no answer, the connection was closed"
    return f"{given} instead of {expected.value}"


def _short(answer: Answer) -> str:
    return " ".join(answer.text.split())[:120]


def _typed(answer: Answer) -> str:
    return f"the answer has Content-Type {answer.content_type or 'nothing'}"


def _csv(rows: list[list[str]]) -> bytes:
    return "".join(f"{','.join(row)}\n" for row in rows).encode()


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _names(what: str, number: int, answer: Answer) -> bool:
    return re.search(rf"\b(?:{what})s?\W{{0,3}}{number}\b", answer.text, re.IGNORECASE) is not None


def _equal(one: str, other: str) -> bool:
    left, right = one.split(","), other.split(",")
    return len(left) == len(right) and all(map(_same, left, right))


def _same(one: str, other: str) -> bool:
    left, right = _number(one), _number(other)
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return one.strip() == other.strip()


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _rows_in(body: bytes) -> int | None:
    try:
        given = json.loads(body)
    except ValueError:
        return None
    rows = given.get("instances") if isinstance(given, dict) else given
    return len(rows) if isinstance(rows, list) else None


def _no_predictions(answer: Answer, expected: int | None) -> str:
    if not answer.content_type.startswith(JSON):
        return _typed(answer)
    given = _parsed(answer)
    predictions = given.get("predictions") if isinstance(given, dict) else given
    if not isinstance(predictions, list):
        return f"neither a list nor predictions: {_short(answer)}"
    if expected is not None and len(predictions) != expected:
        return f"{len(predictions)} predictions for {expected} rows"
    return ""
