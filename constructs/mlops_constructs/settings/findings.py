"""What rules share: they end where they need what is not known, and they refuse what is listed twice."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mlops_constructs.settings.problems import Finding
from mlops_constructs.settings.section import UnknownSettingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlops_constructs.settings.problems import Path


def known(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on until one needs a setting that is not known."""
    with contextlib.suppress(UnknownSettingError):
        yield from findings


def repeated(values: Sequence[str], path: Path) -> Iterator[Finding]:
    """Refuse the same value twice."""
    for index, value in enumerate(values):
        if value in values[:index]:
            remedy = "remove one of the two"
            yield Finding(path=(*path, index), message="is listed twice", allowed="each value once", remedy=remedy)
