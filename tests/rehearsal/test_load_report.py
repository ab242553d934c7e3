from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlops.rehearsal import load_report
from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.load import Attempt, Request
from mlops.rehearsal.load_report import traffic_of, version_of
from mlops.rehearsal.load_tally import Versions
from mlops.rehearsal.sagemaker_traffic import COMPLETED, ROLLED_BACK, Sample, Shift, TrafficRecorder
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase
from mlops.report.traffic import Mood

BLUE, GREEN, TRIAL = "p-m-prod-v1-0a1b2c3d", "p-m-prod-v2-0a1b2c3e", "p-m-prod-v2-0a1b2c3e-c"
VERSIONS = Versions({"old": ["0.1"], "new": ["0.9"]})


class Traffic(TrafficRecorder):
    """Traffic at given times."""

    def sample(self, at: float, configuration: str, *, variant: str = "live", shadow: bool = False) -> None:
        self._samples["p-m-prod"].append(Sample(at, configuration, variant, shadow, 200, 5.0))

    def shift(self, at: float, share: float, decision: str = "", cause: str = "") -> None:
        self._shifts["p-m-prod"].append(Shift(at, 60 * at, BLUE, GREEN, share, decision, cause))


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traffic]:
    recorder = Traffic()
    monkeypatch.setattr(load_report, "TRAFFIC", recorder)
    TIMELINE.reset()
    CLOCK.reset(60.0)
    yield recorder
    TIMELINE.reset()
    CLOCK.reset()


def requests(count: int = 100, *, answer: str | None = "0.1", statuses: tuple[int, ...] = (200,)) -> list[Request]:
    """Ten a second."""
    attempts = tuple(Attempt(status, 5.0, "live") for status in statuses)
    return [Request(0, at / 10, at / 10 + 0.02, attempts, answer) for at in range(count)]


@pytest.mark.parametrize(
    ("configuration", "variant", "version"),
    [
        (BLUE, "live", "v1"),
        (GREEN, "live", "v2"),
        (TRIAL, "live", "v1"),
        (TRIAL, "challenger", "v2"),
        (TRIAL, "shadow", "v2"),
        ("somebody-else", "A", "somebody-else"),
    ],
)
def test_a_configuration_and_its_variant_tell_the_version(configuration: str, variant: str, version: str) -> None:
    assert version_of(configuration, variant, "v1") == version


def test_a_rollback_is_told_with_its_cause_and_how_long_it_took(traffic: Traffic) -> None:
    for at in range(90):
        traffic.sample(at / 10, GREEN if 40 <= at < 60 and at % 2 else BLUE)
    traffic.shift(4.0, 0.5)
    traffic.shift(6.0, 0.0, ROLLED_BACK, "alarm p-m-prod-model-errors")
    found = traffic_of("p-m-prod", requests(), VERSIONS, rate=10)
    assert [(one.what, one.mood, one.emulated_minutes) for one in found.moments] == [
        ("v2 gets 50 % of the traffic", Mood.STEP, 0.0),
        ("rolled back to v1: alarm p-m-prod-model-errors", Mood.BAD, 2.0),
    ]
    assert found.detection_minutes == 2.0
    assert {one.name: sum(one.requests) for one in found.versions} == {"v1": 80, "v2": 10}


def test_a_version_that_stays_was_never_taken_out(traffic: Traffic) -> None:
    traffic.sample(1.0, BLUE)
    traffic.sample(5.0, GREEN)
    traffic.shift(4.0, 1.0)
    traffic.shift(6.0, 1.0, COMPLETED)
    found = traffic_of("p-m-prod", requests(), VERSIONS, rate=10)
    assert found.detection_minutes is None
    assert [one.what for one in found.moments] == ["v2 gets all of the traffic", "v2 serves alone"]


def test_a_candidate_beside_the_champion_is_told_as_such(traffic: Traffic) -> None:
    traffic.sample(1.0, BLUE)
    traffic.shifted("p-m-prod", blue=BLUE, green=TRIAL, share=1.0, decision=COMPLETED)
    (moment,) = traffic_of("p-m-prod", requests(), VERSIONS, rate=10).moments
    assert moment.what == "v1 with v2 beside it serves alone"


def test_a_challenger_that_lost_was_in_from_its_first_to_its_last_answer(traffic: Traffic) -> None:
    for at, variant in ((1.0, "live"), (2.0, "challenger"), (5.0, "challenger"), (8.0, "live")):
        traffic.sample(at, TRIAL, variant=variant)
    traffic.sample(9.0, TRIAL, variant="shadow", shadow=True)
    assert traffic_of("p-m-prod", requests(), VERSIONS, rate=10).detection_minutes == 3.0


def test_the_picture_shows_the_seconds_around_the_shifts_and_the_numbers_all_of_them(traffic: Traffic) -> None:
    traffic.shift(40.0, 1.0, COMPLETED)
    found = traffic_of("p-m-prod", requests(600), VERSIONS, rate=10)
    assert found.sent == 600
    assert (found.began, round(found.ended)) == (34.0, 46)


def test_columns_count_what_the_client_saw(traffic: Traffic) -> None:
    traffic.sample(0.5, BLUE)
    mixed = [
        *requests(50),
        *requests(10, answer="0.5"),
        *requests(5, answer=None, statuses=(500, 500, 0)),
        *requests(5, statuses=(424, 200)),
    ]
    found = traffic_of("p-m-prod", mixed, VERSIONS, rate=10)
    assert (sum(found.wrong), sum(found.lost), sum(found.failed)) == (10, 5, 20)
    assert (found.requests_wrong, found.requests_lost, found.requests_retried, found.attempts_failed) == (10, 5, 5, 20)
    assert found.p50_ms[0] == 20.0


def test_alarms_of_this_endpoint_are_moments_and_those_of_others_are_not(traffic: Traffic) -> None:
    traffic.sample(0.0, BLUE)
    TIMELINE.emit(Kind.ALARM, "p-m-prod-model-errors", Phase.FAILED)
    TIMELINE.emit(Kind.ALARM, "p-m-prod-model-errors", Phase.SUCCEEDED)
    TIMELINE.emit(Kind.ALARM, "p-m-dev-model-errors", Phase.FAILED)
    TIMELINE.emit(Kind.STATE, "TrialLost", Phase.FAILED, machine="p-m-trial", execution="e")
    TIMELINE.emit(Kind.STATE, "TrialLost", Phase.FAILED, machine="p-other-trial", execution="e")
    found = traffic_of("p-m-prod", requests(), VERSIONS, rate=10)
    assert [one.what for one in found.moments] == ["alarm p-m-prod-model-errors goes off", "the trial ends: TrialLost"]


def test_without_a_request_there_is_nothing_to_tell(traffic: Traffic) -> None:
    del traffic
    with pytest.raises(ValueError, match="nothing to report"):
        traffic_of("p-m-prod", [], VERSIONS, rate=10)
