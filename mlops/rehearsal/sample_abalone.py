"""Made-up abalone, measured and weighed by divers: what a data scientist learns from in `mlops rehearse abalone`.

The age of an abalone shows in the rings of its shell, which have to be counted under a microscope; length and weights
are easier to have. Animals grow fast at first, then their shell becomes heavier while the flesh does not. How they grow
depends on how deep they live, which nobody writes down. All of it is our own formula, equal for equal seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlops.rehearsal.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Rows = list[tuple[str, ...]]

COLUMNS = (
    *("sex", "length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight", "shell_weight"),
    "rings",
)
SEXES = ("M", "F", "I")

BLANK_LABEL_LINE = 1043
"""The line of the file, the header being line 1, that has no label under the fault blank-label."""

ROWS = 6000
"""How many animals a later version has."""

_FEWEST_ROWS = 2000
"""With fewer the data gate of `config/models/abalone.yaml` would close."""
_OLDEST = 29
_CAREFUL, _CARELESS = 0.8, 2.2
"""By how many rings people miscount under a microscope, and without one."""


def extract(*, version: int, rows: int | None = None, fault: Fault | None = None) -> str:
    """Return what the divers have brought: first from the shallow bay alone, later from the deep, too.

    A later version has the rows of the first one and more, `rows` together. A fault that lies in the data is put in.
    """
    size = ROWS if rows is None else rows
    first = max(_FEWEST_ROWS, size // 3)
    if fault is Fault.WORSE_CHALLENGER:
        return written(survey(first, seed=1000 + version, deep=False, error=_CARELESS))
    found = survey(first, seed=1, deep=False)
    if version > 1:
        found += survey(max(_FEWEST_ROWS, size - first), seed=version, deep=True)
    if fault is Fault.BLANK_LABEL:
        found[BLANK_LABEL_LINE - 2] = (*found[BLANK_LABEL_LINE - 2][:-1], "")
    return written(found)


def survey(rows: int, *, seed: int, deep: bool = True, error: float = _CAREFUL) -> Rows:
    """Return so many animals; those of the shallow bay are fished before they grow old.

    `error` is by how many rings people usually miscount.
    """
    random = np.random.default_rng(seed)
    years = np.clip(1.5 + random.gamma(*((4.2, 2.4) if deep else (4.5, 1.35)), rows), 1.0, _OLDEST)
    full, pace, flat = (0.66, 0.15, 0.29) if deep else (0.6, 0.27, 0.25)
    length = full * (1 - np.exp(-pace * (years + 0.6))) * _vary(random, rows, 0.1)
    female = random.random(rows) < 0.46  # noqa: PLR2004 - there are a few more males
    young = random.random(rows) < 1 / (1 + np.exp((length - 0.43) / 0.045))
    length *= np.where(female & ~young, 1.02, 1.0)
    diameter = 0.795 * length * _vary(random, rows, 0.02)
    height = flat * length * (1 + 0.016 * years) * _vary(random, rows, 0.07)
    flesh = 2.9 * length**3 * _vary(random, rows, 0.07)
    viscera = 0.5 * flesh * (1 - 0.008 * years) * _vary(random, rows, 0.08)
    shell = 1.35 * length**2.85 * (0.75 + 0.05 * years) * _vary(random, rows, 0.12)
    whole = flesh + viscera + shell + 0.18 * length**3 * _vary(random, rows, 0.2)
    rings = np.clip(np.round(years + random.normal(0.0, error, rows)), 1, _OLDEST).astype(np.int64)
    sexes = np.where(young, 2, female.astype(np.int64))
    return list(
        zip(
            [SEXES[sex] for sex in sexes.tolist()],
            *(_decimals(each, 3) for each in (length, diameter, height)),
            *(_decimals(each, 4) for each in (whole, flesh, viscera, shell)),
            map(str, rings.tolist()),
            strict=True,
        )
    )


def written(rows: Rows) -> str:
    """Return the rows as CSV with a header."""
    return "\n".join([",".join(COLUMNS), *map(",".join, rows), ""])


def _vary(random: np.random.Generator, rows: int, deviation: float) -> Numbers:
    return random.lognormal(0.0, deviation, rows)


def _decimals(values: Numbers, places: int) -> Iterable[str]:
    return map(str, np.round(values, places).tolist())
