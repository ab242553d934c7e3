from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.serving import page
from tests.benchmarks.serving_samples import CASE, TITLES, measured, sample


def row(text: str, begin: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {begin} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_is_written_where_it_is_told(tmp_path: Path) -> None:
    page.write(measured(), path=tmp_path / "speed.md")
    assert (tmp_path / "speed.md").read_text() == page.text(measured())


def test_a_goal_that_is_met_and_one_that_is_missed_look_different() -> None:
    results = measured()
    for number, speed in enumerate((4000.0, 3100.0, 100.0)):
        results.samples["ours", CASE][number] = sample(speed, p99_ms=0.5)
    _, _, seed, alternative, floor, tail = row(page.text(results), "1 row CSV")
    assert seed == "31.0 (10.0 to 40.0)"
    assert alternative == "2.00 (1.55 to 2.00) (Falcon)"
    assert floor == "0.800 (0.775 to 0.800)"
    assert tail == "0.500 (0.500 to 0.500)"
    _, _, seed, _, floor, tail = row(page.text(measured()), "1 row JSON")
    assert not seed.endswith("✗")
    assert tail.endswith("✗")


def test_an_invalid_measurement_misses_every_goal_and_shows_no_number() -> None:
    text = page.text(measured(failing="ours"))
    assert row(text, "1 row CSV")[2:] == ["- ✗", "-", "- ✗", "- ✗"]
    assert "| containers/tabular | invalid: 1 failed | - | - |" in text


@pytest.mark.parametrize("title", TITLES.values())
def test_every_server_is_in_every_table_of_speeds(title: str) -> None:
    assert page.text(measured()).count(f"| {title} | ") == (3 if title != "the floor" else 2)


@pytest.mark.parametrize(
    ("value", "shown"), [(1234567.0, "1,230,000"), (999.6, "1,000"), (28.04, "28.0"), (0.12345, "0.123"), (1.0, "1.00")]
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    assert page.number(value) == shown
