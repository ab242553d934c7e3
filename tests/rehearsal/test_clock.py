from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from mlops.rehearsal.clock import DEFAULT_SCALE, Clock


def test_it_begins_now_and_goes_as_fast_as_it_is_told() -> None:
    clock = Clock()
    assert clock.scale == DEFAULT_SCALE
    clock.reset(1000)
    began = time.monotonic()
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 500
    before, moment = clock.seconds(), clock.now()
    time.sleep(0.05)
    passed = clock.seconds() - before
    assert 50 <= passed <= (time.monotonic() - began) * 1000
    assert (clock.now() - moment).total_seconds() >= 50
    assert abs(clock.timestamp() - clock.now().timestamp()) < 1000


def test_sleeping_lasts_emulated_seconds() -> None:
    clock = Clock()
    clock.reset(1000)
    before = clock.seconds()
    assert clock.sleep(60)
    assert clock.seconds() - before >= 60
    assert clock.sleep(-1)


@pytest.mark.parametrize("end", [Clock.stop, Clock.reset])
def test_whatever_sleeps_is_woken(end: object) -> None:
    clock, slept = Clock(), []
    clock.reset(1)
    sleeper = threading.Thread(target=lambda: slept.append(clock.sleep(3600)))
    sleeper.start()
    time.sleep(0.05)
    end(clock)  # type: ignore[operator]
    sleeper.join(5)
    assert slept == [False]


def test_nothing_sleeps_between_stop_and_reset() -> None:
    clock = Clock()
    clock.stop()
    assert not clock.sleep(3600)
    clock.reset(100_000)
    assert clock.sleep(1)


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_a_scale_is_a_positive_number(scale: float) -> None:
    with pytest.raises(ValueError, match="emulated seconds per real second"):
        Clock().reset(scale)
