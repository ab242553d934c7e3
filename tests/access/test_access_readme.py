"""The README shows the table that is tested."""

from __future__ import annotations

from tests.access.readme import README, render, written
from tests.access.runs import Run


def test_the_readme_shows_what_is_tested(organized: Run, listed: Run) -> None:
    message = "the README is out of date; write it with: python -m tests.access"
    assert written(README.read_text()) == render(organized, listed), message
