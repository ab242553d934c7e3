"""When a schedule of Application Auto Scaling comes next: at(...), rate(...) and cron(...) in a time zone.

Source: "Schedule recurring scaling actions using cron expressions", Application Auto Scaling User Guide.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_EXPRESSION = re.compile(r"(?P<kind>at|rate|cron)\((?P<content>[^()]+)\)")
_HORIZON_DAYS = 366 * 5
"""Further ahead than the next 29 February nobody looks."""
_FIELDS = 6


class ScheduleError(ValueError):
    """An expression is none that Application Auto Scaling knows."""


def next_time(expression: str, after: datetime, *, began: datetime, timezone: str = "UTC") -> datetime | None:
    """Return when a schedule comes next, None if it does not come again.

    Args:
        expression: The schedule.
        after: The time (of any zone) after which it has to come.
        began: When the action was made, from which a rate counts.
        timezone: In which the expression is to be understood.

    Raises:
        ScheduleError: the expression is not known here.

    """
    found = _EXPRESSION.fullmatch(expression)
    if found is None:
        msg = f"the schedule {expression!r} is neither at(...) nor rate(...) nor cron(...)"
        raise ScheduleError(msg)
    content = found["content"]
    if found["kind"] == "at":
        moment = datetime.fromisoformat(content).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
        return moment if moment > after else None
    if found["kind"] == "rate":
        value, _, unit = content.partition(" ")
        period = int(value) * _UNITS[unit.removesuffix("s")]
        return began + (max((after - began) // period, 0) + 1) * period
    return _next_of_cron(content.upper().split(), after, ZoneInfo(timezone))


def _next_of_cron(fields: list[str], after: datetime, zone: ZoneInfo) -> datetime | None:
    if len(fields) != _FIELDS:
        msg = f"a cron expression has six parts, got {' '.join(fields)!r}"
        raise ScheduleError(msg)
    minutes, hours = _numbers(fields[0], 0, 59), _numbers(fields[1], 0, 23)
    local = after.astimezone(zone)
    for offset in range(_HORIZON_DAYS):
        day = local.date() + timedelta(days=offset)
        if not _is_day(fields, day):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
                if moment > after:
                    return moment
    return None


def _is_day(fields: list[str], day: date) -> bool:
    _, _, days, months, weekdays, years = fields
    if day.month not in _numbers(months, 1, 12, _MONTHS) or day.year not in _numbers(years, 1970, 2199):
        return False
    last = calendar.monthrange(day.year, day.month)[1]
    if days != "?":
        return day.day == last if days == "L" else day.day in _numbers(days, 1, 31)
    weekday = day.isoweekday() % 7 + 1
    if "#" in weekdays:
        name, _, which = weekdays.partition("#")
        return weekday in _numbers(name, 1, 7, _DAYS) and (day.day - 1) // 7 + 1 == int(which)
    if len(weekdays) > 1 and weekdays.endswith("L"):
        return weekday in _numbers(weekdays[:-1], 1, 7, _DAYS) and day.day > last - 7
    return weekday in _numbers("7" if weekdays == "L" else weekdays, 1, 7, _DAYS)


def _numbers(text: str, low: int, high: int, words: dict[str, int] | None = None) -> set[int]:
    known = words or {}
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, end = span.partition("-")
        try:
            start = low if first in ("*", "?") else known.get(first) or int(first)
            stop = (known.get(end) or int(end)) if dash else high if first in ("*", "?") or step else start
            found.update(range(start, stop + 1, int(step or 1)))
        except ValueError as error:
            msg = f"{part!r} is no part of a cron expression that the rehearsal knows"
            raise ScheduleError(msg) from error
    return found
