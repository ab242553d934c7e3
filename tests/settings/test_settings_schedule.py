from __future__ import annotations

import pytest

from mlops_constructs.settings.schedule import misfit


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)", "rate(1 hour)", "rate(12 hours)", "rate(30 days)",
        "cron(0 6 ? * MON *)", "cron(0 10 * * ? *)", "cron(15 12 * * ? *)", "cron(0 18 ? * MON-FRI *)",
        "cron(0 8 1 * ? *)", "cron(0/10 * ? * MON-FRI *)", "cron(0/5 8-17 ? * mon,wed *)", "cron(0 9 ? * 2#1 *)",
        "cron(0 9 ? * FRI#5 *)", "cron(0 0 L * ? *)", "cron(0 0 3W * ? *)", "cron(0 0 LW JAN-MAR ? 2026-2030)",
        "cron(0 0 ? * 6L 2026/2)", "cron(*/15 * * * ? *)", "cron(0 0 ? * L *)",
    ],
)  # fmt: skip
def test_schedules_that_eventbridge_accepts(expression: str) -> None:
    assert misfit(expression) is None


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "is not a schedule"), ("daily", "is not a schedule"), ("at(2026-01-01T00:00:00)", "is not a schedule"),
        ("0 6 * * MON", "line of a crontab"), ("rate(0 days)", "is not a rate"), ("rate(1.5 days)", "is not a rate"),
        ("rate(1 week)", "is not a rate"), ("rate(-1 days)", "is not a rate"), ("rate( 1 day)", "is not a rate"),
        ("rate(1 days)", "wrong number"), ("rate(2 day)", "wrong number"), ("rate(٣ days)", "is not a rate"),
        ("rate(1 day)\n", "is not a rate"), ("cron(0 6 * * ? *)\n", "is not a schedule"),
        ("cron()", "has 0 parts"), ("cron(0 6 * * ?)", "has 5 parts"), ("cron(0 0 6 * * ? *)", "has 7 parts"),
        ("cron(60 6 * * ? *)", "has a minutes part"), ("cron(0 24 * * ? *)", "has a hours part"),
        ("cron(0 6 0 * ? *)", "has a day-of-month part"), ("cron(0 6 32W * ? *)", "has a day-of-month part"),
        ("cron(0 6 1 13 ? *)", "has a month part"), ("cron(0 6 1 JANUARY ? *)", "has a month part"),
        ("cron(0 6 ? * 0 *)", "has a day-of-week part"), ("cron(0 6 ? * 2#6 *)", "has a day-of-week part"),
        ("cron(0 6 ? * MON/2 *)", "has a day-of-week part"), ("cron(0 6 * * ? 1969)", "has a year part"),
        ("cron(0 6, * * ? *)", "has a hours part"), ("cron(0/0 6 * * ? *)", "has a minutes part"),
        ("cron(0 6 * * * *)", "two kinds of day"), ("cron(0 6 ? * ? *)", "two kinds of day"),
    ],
)  # fmt: skip
def test_schedules_that_eventbridge_refuses(expression: str, words: str) -> None:
    wrong = misfit(expression)
    assert wrong is not None
    assert words in wrong.message
    assert wrong.allowed
    assert wrong.remedy
