"""Shadows: pairs of captured answers, and what a look decides by them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.judge_trial import captures
from lambdas.judge_trial.answers import differ
from lambdas.shared.errors import EventError
from tests.lambdas.trials import NAME, Trial

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Bucket, Context, Json

FOLDER = f"churn/endpoints/prod/captures/{NAME}"
SHADOW = {
    "type": "shadow",
    "minimum_requests": 200,
    "maximum_hours": 48,
    "tolerance": 0.1,
    "maximum_disagreement_percent": 10.0,
    "maximum_latency_ratio": 1.5,
}
OVER: dict[str, Any] = {"round": 720}
"""720 times 4 minutes are 48 hours."""
ALL_WELL = {"count": 5_000, "failed": 0, "latency": 12_000}


class ShadowTrial(Trial):
    """A shadow: what it answers is captured."""

    def capture(
        self,
        answers: Mapping[str, tuple[str | None, str | None]],
        *,
        hour: str = "2026/11/12/08",
        file: str = "05-00-000-a",
        by: str = "inferenceId",
    ) -> None:
        """Capture the answers of the version in service and of the shadow, by request; None: there was none."""
        for place, variant in enumerate(("live", "shadow")):
            lines = [
                json.dumps(
                    {
                        "captureData": {"endpointOutput": {"mode": "OUTPUT", "data": pair[place], "encoding": "CSV"}},
                        "eventMetadata": {"eventId": f"{variant}-{request}"} | {by: request},
                        "eventVersion": "0",
                    }
                )
                for request, pair in answers.items()
                if pair[place] is not None
            ]
            self.bucket.put(f"{FOLDER}/{variant}/{hour}/{file}.jsonl", "\n".join(lines) + "\n")

    def looks(self, candidate: Mapping[str, float] | None = None, **changes: Any) -> Json:
        self.measures(ALL_WELL, ALL_WELL if candidate is None else candidate, candidate_name="shadow")
        return self.look(**changes)


@pytest.fixture
def trial(moto: Aws, bucket: Bucket, context: Context, event_of: Callable[..., Json]) -> ShadowTrial:
    source = {"captureUri": "s3://mlops-artifacts/churn/endpoints/prod/captures"}
    return ShadowTrial(
        moto, bucket, context, event_of("judge_trial", rollout=SHADOW, source=source, intervalSeconds=240)
    )


@pytest.fixture
def begun(trial: ShadowTrial) -> ShadowTrial:
    trial.measures(candidate_name="shadow")
    assert trial.look()["decision"] == "continue"
    return trial


def pairs(number: int, *, different: int = 0, prefix: str = "r") -> dict[str, tuple[str | None, str | None]]:
    return {f"{prefix}{at}": ("0.25\n", "0.75\n" if at < different else "0.26\n") for at in range(number)}


def test_answers_that_agree_are_promoted_when_there_are_enough(begun: ShadowTrial) -> None:
    begun.capture(pairs(199))
    assert begun.looks()["decision"] == "continue"
    begun.capture(pairs(1, prefix="s"), file="06-00-000-a")
    answer = begun.looks()
    assert answer["decision"] == "promote"
    assert "is won: its answers agree: 0 of 200 pairs of answers (0.00%) differ by more than 0.1" in answer["summary"]
    assert begun.records[-1]["facts"]["p_agreement"] < 0.05


def test_answers_that_differ_too_often_are_given_up(begun: ShadowTrial) -> None:
    begun.capture(pairs(300, different=60))
    answer = begun.looks()
    assert answer["decision"] == "retire"
    assert "its answers disagree too often: 60 of 300 pairs of answers (20.00%)" in answer["summary"]


def test_what_is_not_sure_needs_more_pairs_and_is_not_promoted_without_them(begun: ShadowTrial) -> None:
    begun.capture(pairs(300, different=27))
    assert begun.looks()["decision"] == "continue"
    answer = begun.looks(**OVER)
    assert answer["decision"] == "retire"
    assert "not decided after 48 hours: 27 of 300" in answer["summary"]


def test_without_answers_nothing_is_promoted(begun: ShadowTrial) -> None:
    answer = begun.looks({}, **OVER)
    assert answer["decision"] == "retire"
    assert "0 of 0 pairs of answers differ" in answer["summary"]


def test_captures_of_an_earlier_trial_do_not_count(trial: ShadowTrial) -> None:
    trial.capture(pairs(300, different=300))
    assert trial.looks()["decision"] == "continue"
    trial.capture(pairs(250), file="06-00-000-a")
    assert trial.looks()["decision"] == "promote"
    assert trial.records[-1]["facts"]["pairs"] == 250


def test_a_complete_hour_is_read_once_and_the_last_one_at_each_look(
    begun: ShadowTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun.capture(pairs(90, different=10, prefix="a"), hour="2026/11/12/08")
    begun.capture(pairs(50, prefix="b"), hour="2026/11/12/09")
    begun.looks()
    assert begun.records[-1]["facts"]["pairs"] == 140
    assert {name: begun.event["state"][name] for name in ("hour", "pairs", "different")} == {
        "hour": "2026/11/12/08",
        "pairs": 90,
        "different": 10,
    }
    begun.capture(pairs(20, different=2, prefix="c"), hour="2026/11/12/09", file="59-00-000-a")
    monkeypatch.setattr(captures, "PAIRS_PER_HOUR", 60)
    begun.looks()
    assert (begun.records[-1]["facts"]["pairs"], begun.records[-1]["facts"]["different"]) == (150, 12)


def test_only_requests_that_both_have_answered_are_pairs(begun: ShadowTrial) -> None:
    begun.capture(pairs(10) | {"lost": ("0.5", None), "alone": (None, "0.5")})
    begun.looks()
    assert begun.records[-1]["facts"]["pairs"] == 10


def test_without_an_inference_id_the_event_id_joins(begun: ShadowTrial) -> None:
    begun.capture(pairs(10), by="eventId")
    begun.looks()
    assert begun.records[-1]["facts"]["pairs"] == 10


def test_a_shadow_that_fails_more_often_is_given_up(begun: ShadowTrial) -> None:
    answer = begun.looks({"count": 2_500, "failed": 25, "latency": 12_000})
    assert answer["decision"] == "retire"
    assert "25 of its 2,500 requests failed (1.0%), 0.0% in service" in answer["summary"]


def test_metrics_that_are_not_all_there_yet_are_no_news(begun: ShadowTrial) -> None:
    begun.looks({"count": 1_000, "failed": 2, "latency": 12_000})
    before = begun.event["state"]["failures"]
    assert begun.looks({"count": 900, "failed": 2, "latency": 12_000})["decision"] == "continue"
    assert begun.event["state"]["failures"] == before


def test_a_shadow_that_is_slow_is_given_up(begun: ShadowTrial) -> None:
    answer = begun.looks({"count": 300, "failed": 0, "latency": 30_000})
    assert "latency is 30.0 ms, 12.0 ms in service" in answer["summary"]


def test_an_alarm_ends_a_shadow(begun: ShadowTrial) -> None:
    begun.measures(ALL_WELL, ALL_WELL, alarms={"server-errors": 1}, candidate_name="shadow")
    assert begun.look()["decision"] == "retire"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2 of s3://mlops-artifacts/.*/x.jsonl is not JSON"),
        ('{"eventMetadata": {"eventId": "e"}}', "line 2 of .*: field 'captureData': field required"),
        (
            '{"captureData":{"endpointOutput":{"data":"?","encoding":"BASE64"}},"eventMetadata":{"eventId":"e"}}',
            "answer to request e is no base64",
        ),
    ],
)
def test_a_capture_that_cannot_be_read_is_an_error_with_its_place(begun: ShadowTrial, line: str, words: str) -> None:
    begun.capture(pairs(1))
    whole = begun.bucket.s3.get_object(Bucket="mlops-artifacts", Key=f"{FOLDER}/shadow/2026/11/12/08/05-00-000-a.jsonl")
    begun.bucket.put(f"{FOLDER}/shadow/2026/11/12/08/x.jsonl", whole["Body"].read() + line.encode())
    begun.serves()
    with pytest.raises(EventError, match=words):
        begun.judge()


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("0.25", "0.35", False),
        ("0.25", "0.351", True),
        ("0.2,0.3,0.5\n", "0.2,0.31,0.49", False),
        ("0.2,0.3,0.5\n", "0.2,0.8,0.0", True),
        ("1\n2\n", "1\n", True),
        ("nan", "nan", False),
        ("nan", "0.1", True),
        ("", "0.1", True),
        ("error", "error", False),
        ("error", "0.1", True),
        ('{"scores": [0.1, {"b": 2}]}', '{"scores": [0.15, {"b": 2.05}]}', False),
        ('{"scores": [0.1]}', '{"scores": [0.3]}', True),
        ('{"label": "a"}', '{"label": "b"}', True),
        ('{"label": "a"}', '{"label": "a"}', False),
        ("[true]", "[1]", True),
        (str(10**400), "[1]", True),
    ],
)
def test_answers_differ_beyond_the_tolerance_in_any_number_or_in_anything_else(
    one: str,
    other: str,
    differs: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert differ(one, other, 0.1 + 1e-12) is differs
    assert differ(other, one, 0.1 + 1e-12) is differs


def test_answers_in_base64_are_compared_like_text(begun: ShadowTrial) -> None:
    encoded = base64.b64encode(b"0.25\n").decode()
    begun.capture({"r": ("0.25", "0.25")})
    line = {
        "captureData": {"endpointOutput": {"data": encoded, "encoding": "BASE64"}},
        "eventMetadata": {"eventId": "x", "inferenceId": "r"},
    }
    begun.bucket.put(f"{FOLDER}/shadow/2026/11/12/08/05-00-000-a.jsonl", json.dumps(line))
    begun.looks()
    assert (begun.records[-1]["facts"]["pairs"], begun.records[-1]["facts"]["different"]) == (1, 0)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("rollout", "tolerance"), -1),
        (("rollout", "minimum_requests"), 0),
        (("rollout", "maximum_disagreement_percent"), 101),
        (("source", "captureUri"), "captures"),
        (("state", "pairs"), -1),
    ],
)
def test_a_wrong_field_of_a_shadow_is_named(trial: ShadowTrial, place: tuple[str, str], value: object) -> None:
    changed = trial.event[place[0]] | {place[1]: value}
    with pytest.raises(EventError, match=f"field '{'.'.join(place)}'"):
        trial.judge(**{place[0]: changed})
