from __future__ import annotations

import re
from typing import Any

import pytest

from mlops.report.html import key_figures, render, traffic_figures
from mlops.report.record import RunRecord
from mlops.report.traffic import Moment, Mood, Series, Traffic
from mlops.report.traffic_charts import narrow, wide
from tests.report.sample_record import succeeded
from tests.report.sample_traffic import INTERVALS, canary_that_fails
from tests.report.test_report_page import Page


def record(**changes: Any) -> RunRecord:
    return succeeded(traffic=canary_that_fails(**changes))


def section(**changes: Any) -> Page:
    text = render(record(**changes))
    begin = text.index('<section id="traffic">')
    return Page(text[begin : text.index("</section>", begin) + 10])


def test_a_run_without_traffic_shows_none() -> None:
    assert 'id="traffic"' not in render(succeeded())


def test_the_page_says_what_a_client_felt() -> None:
    text = section().text
    for words in ("4,000", "48 needed another try", "48 tries failed", "8.2 min", "3.4 ms", "p99 38 ms"):
        assert words in text


def test_lost_requests_and_wrong_answers_are_bad_and_their_absence_is_not() -> None:
    bad = {one.name for one in traffic_figures(canary_that_fails(requests_lost=3)) if one.bad}
    good = {one.name for one in traffic_figures(canary_that_fails(requests_wrong=0)) if one.bad}
    assert (bad, good) == ({"Lost", "Wrong answers"}, set())
    assert any(one.name == "Requests lost" and one.bad for one in key_figures(record(requests_lost=3)))


def test_every_moment_is_in_the_list_and_in_the_picture() -> None:
    page = section()
    for moment in canary_that_fails().moments:
        assert moment.what in page.text
    labels = re.findall(r'class="count"[^>]*>([^<]+)<', str(wide(canary_that_fails())))
    assert labels == ["1\u20132", "3\u20134"]


def test_moments_that_lie_apart_have_labels_of_their_own() -> None:
    moments = tuple(Moment(at=at, what="x", mood=Mood.STEP) for at in (62.0, 68.0, 80.0))
    assert re.findall(r'class="count"[^>]*>([^<]+)<', str(wide(canary_that_fails(moments=moments)))) == ["1", "2", "3"]


@pytest.mark.parametrize("draw", [wide, narrow])
def test_versions_are_stacked_and_nothing_leaves_the_picture(draw: Any) -> None:
    text = str(draw(canary_that_fails()))
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    assert box is not None
    old, new = (
        [tuple(map(float, point.split(","))) for point in points.split()]
        for points in re.findall(r'<polygon points="([^"]+)"', text)
    )
    half = 2 * INTERVALS
    assert old[:half] == list(reversed(new[half:]))  # the new version begins where the old one ends
    assert all(0 <= x <= float(box[1]) and 0 <= y <= float(box[2]) for x, y in old + new)


def test_an_interval_without_answers_interrupts_the_latency() -> None:
    assert str(wide(canary_that_fails())).count("<polyline") == 4


def test_copies_for_a_shadow_are_a_line_and_not_part_of_the_stack() -> None:
    copies = Series(name="v2", requests=(25,) * INTERVALS, shadow=True)
    live = Series(name="v1", requests=(50,) * INTERVALS)
    text = str(wide(canary_that_fails(versions=(live, copies))))
    assert text.count("<polygon") == 1
    assert "series second" in text
    assert "v2, copies" in section(versions=(live, copies)).text


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="a value for each interval"):
        canary_that_fails(failed=(1, 2))


def test_a_load_without_an_interval_draws_nothing() -> None:
    empty = dict.fromkeys(("versions", "failed", "lost", "wrong", "p50_ms", "p99_ms"), ())
    assert str(wide(Traffic(**(canary_that_fails().model_dump() | empty)))) == ""
