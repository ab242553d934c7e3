"""The security gate: are there few enough findings in the image that nobody has looked at?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lambdas.shared.decisions import Check
from lambdas.shared.text import clip, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from lambdas.security_gate.events import Allowed, ScanRules

_SHOWN = 5


class Severity(StrEnum):
    """How bad ECR says a finding is; the worst one first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNTRIAGED = "untriaged"
    UNDEFINED = "undefined"
    INFORMATIONAL = "informational"


_LIMITED = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
_ORDER = list(Severity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A weakness in an image."""

    id: str
    severity: Severity
    package: str = ""

    def __str__(self) -> str:
        """Return the finding with the package that it is in."""
        return f"{self.id} ({self.package})" if self.package else self.id


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """The result of a scan, or why there is none."""

    findings: Sequence[Finding] = ()
    unusable: str | None = None


def judge(scan: Scan, rules: ScanRules, *, today: date) -> list[Check]:
    """Return the checks of an image; a finding is allowed up to and including the day on which that expires."""
    if scan.unusable:
        return [Check(name="scan", passed=False, reason=scan.unusable)]
    found = _distinct(scan.findings)
    allow = {entry.id: entry for entry in rules.allow if entry.expires >= today}
    counted = [finding for finding in found.values() if finding.id not in allow]
    expired = {entry.id: entry for entry in rules.allow if entry.id not in allow}
    limits = rules.maximum.model_dump()
    return [
        Check(name="scan", passed=True, reason="the scan is complete" + _unrated(counted)),
        *(_severity(each, counted, limits[each], expired) for each in _LIMITED),
        _allow_list(rules.allow, found, today),
    ]


def _distinct(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return one finding for each id, the worst: the same weakness may be in several packages."""
    found: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda each: _ORDER.index(each.severity)):
        found.setdefault(finding.id, finding)
    return found


def _severity(
    severity: Severity, counted: Sequence[Finding], maximum: int | None, expired: Mapping[str, Allowed]
) -> Check:
    these = [finding for finding in counted if finding.severity is severity]
    passed = maximum is None or len(these) <= maximum
    limit = "any number" if maximum is None else f"at most {maximum:,}"
    reason = f"{count(len(these), f'{severity} finding')}, {limit} allowed"
    if not passed:
        told = [
            f"{each}, allowed until {expired[each.id].expires}" if each.id in expired else str(each) for each in these
        ]
        more = f", and {len(told) - _SHOWN:,} more" if len(told) > _SHOWN else ""
        reason += f": {'; '.join(told[:_SHOWN])}{more}"
    return Check(name=severity, passed=passed, value=len(these), required=maximum, reason=reason)


def _unrated(counted: Sequence[Finding]) -> str:
    rest = [finding for finding in counted if finding.severity not in _LIMITED]
    if not rest:
        return ""
    levels = ", ".join(level for level in _ORDER if any(finding.severity is level for finding in rest))
    return f"; {count(len(rest), 'finding')} without a severity that counts ({levels})"


def _allow_list(allow: Sequence[Allowed], found: Mapping[str, Finding], today: date) -> Check:
    """Tell what the list does; it stops nothing by itself, because a finding that is not allowed counts."""
    told = [_entry(entry, found, today) for entry in allow]
    reason = "; ".join(told) if told else "no finding is on the list of allowed ones"
    return Check(name="allow-list", passed=True, value=len(told), reason=clip(reason, length=600))


def _entry(entry: Allowed, found: Mapping[str, Finding], today: date) -> str:
    name = clip(entry.id, length=80)
    if entry.id not in found:
        return f"{name} is on the list, but not in the image: remove it from the list"
    if entry.expires < today:
        return f"{name} counts again: it was allowed until {entry.expires}"
    return f"{name} is allowed until {entry.expires}: {clip(entry.reason, length=120)}"
