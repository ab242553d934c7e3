"""Made-up customers of a telephone company: what `mlops rehearse churn` uploads, equal for equal seeds.

Whether a customer leaves depends on the contract, on how calls with the support went, on the bill against the usage,
and on some of these together, so that a model of trees has something to find: trained on some thousand rows it reaches
an AUC near 0.9, and more or cleaner rows make it better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlops.rehearsal.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Choices = NDArray[np.int64]

COLUMNS = (
    *("customer_id", "region", "plan", "contract", "payment", "international", "tenure_months", "monthly_charges"),
    *("day_minutes", "evening_minutes", "night_minutes", "data_gb", "support_calls", "satisfaction", "churned"),
)
REGIONS = ("north", "south", "east", "west")
PLANS = ("basic", "plus", "premium")
CONTRACTS = ("monthly", "one-year", "two-year")
PAYMENTS = ("card", "invoice", "direct-debit")
NO_YES = ("no", "yes")

BLANK_LABEL_LINE = 1043
"""The line of the file, the header being line 1, that has no label under the fault blank-label."""

ROWS = 12_000
"""How many customers a later version has."""

_SHARE_LEAVING = 0.17
_RIVAL = 2.6
"""How much the rival's offer weighs, in log-odds."""
_FEWEST_ROWS = 2400
"""With fewer the data gate of `config/models/churn.yaml` would close."""


def extract(*, version: int, rows: int | None = None, fault: Fault | None = None) -> str:
    """Return what the company's systems would export: a small first version from before a rival came, then better ones.

    `rows` is the size of the later versions. A fault that lies in the data is put into it.
    """
    size = ROWS if rows is None else rows
    if fault is Fault.WORSE_CHALLENGER:
        return generate(max(_FEWEST_ROWS, size // 4), seed=1000 + version, quality=0.6, rival=version > 1)
    blank = BLANK_LABEL_LINE if fault is Fault.BLANK_LABEL else None
    if version == 1:
        return generate(max(_FEWEST_ROWS, size // 3), seed=version, quality=0.97, rival=False, blank_label=blank)
    return generate(size, seed=version, blank_label=blank)


def generate(rows: int, *, seed: int, quality: float = 1.0, rival: bool = True, blank_label: int | None = None) -> str:
    """Return `rows` customers as CSV with a header.

    `quality` is the share of labels that were recorded properly; the others are shuffled among each other, which keeps
    the classes as large as they were. Under `rival`, another company woos customers who use much data. `blank_label` is
    the line of the file that has none.
    """
    random = np.random.default_rng(seed)
    region = random.choice(4, rows, p=(0.3, 0.25, 0.25, 0.2))
    plan = random.choice(3, rows, p=(0.5, 0.33, 0.17))
    contract = random.choice(3, rows, p=(0.55, 0.28, 0.17))
    payment = random.choice(3, rows, p=(0.42, 0.2, 0.38))
    international = (random.random(rows) < np.array((0.06, 0.12, 0.22))[plan]).astype(np.int64)
    tenure = np.minimum(random.gamma(1.6, 20.0, rows) * np.array((0.8, 1.1, 1.6))[contract], 240).astype(np.int64) + 1
    minutes = {
        "day": _usage(random, np.array((150.0, 190.0, 230.0))[plan], 55.0),
        "evening": _usage(random, np.array((180.0, 200.0, 210.0))[plan], 50.0),
        "night": _usage(random, np.full(rows, 200.0), 50.0),
    }
    data = np.minimum(random.gamma(2.0, np.array((3.0, 8.0, 18.0))[plan]), 300.0)
    charges = _bill(random, plan, international, minutes["day"], data)
    calls = random.poisson(np.array((1.7, 1.3, 1.1))[plan] + 0.5 * (payment == 1))
    happiness = np.clip(np.round(7.4 - 0.6 * calls + random.normal(0.0, 1.6, rows)), 1, 10).astype(np.int64)
    risk = _risk(
        plan=plan,
        contract=contract,
        payment=payment,
        international=international,
        tenure=tenure,
        day=minutes["day"],
        data=data,
        charges=charges,
        calls=calls,
        happiness=happiness,
    )
    if rival:
        risk += _RIVAL * np.tanh(data / np.array((4.0, 10.0, 22.0))[plan] - 0.8) * np.array((1.0, 0.6, 0.2))[contract]
    leaving = _labels(random, risk, quality)
    asked = random.random(rows) < 0.72  # noqa: PLR2004 - the others' satisfaction is not known
    labels = _words(NO_YES, leaving)
    if blank_label is not None:
        labels[blank_label - 2] = ""
    identity = random.permutation(9 * rows)[:rows] + 10 * rows
    return _csv(
        (
            [f"C{number}" for number in identity.tolist()],
            _words(REGIONS, region),
            _words(PLANS, plan),
            _words(CONTRACTS, contract),
            _words(PAYMENTS, payment),
            _words(NO_YES, international),
            map(str, tenure.tolist()),
            _decimals(charges, 2),
            *(_decimals(each, 1) for each in minutes.values()),
            _decimals(data, 2),
            map(str, calls.tolist()),
            [str(value) if told else "" for value, told in zip(happiness.tolist(), asked.tolist(), strict=True)],
            labels,
        )
    )


def _usage(random: np.random.Generator, mean: Numbers, deviation: float) -> Numbers:
    return np.clip(random.normal(mean, deviation), 0.0, 600.0)


def _bill(random: np.random.Generator, plan: Choices, international: Choices, day: Numbers, data: Numbers) -> Numbers:
    fee = np.array((19.0, 39.0, 69.0))[plan] + 9.0 * international
    beyond = np.array((0.22, 0.12, 0.0))[plan] * np.maximum(day - np.array((160.0, 220.0, 900.0))[plan], 0.0)
    volume = np.array((1.1, 0.4, 0.0))[plan] * np.maximum(data - np.array((8.0, 25.0, 900.0))[plan], 0.0)
    bill: Numbers = np.minimum(fee + beyond + volume + random.normal(0.0, 1.5, len(plan)), 480.0)
    return bill


def _risk(
    *,
    plan: Choices,
    contract: Choices,
    payment: Choices,
    international: Choices,
    tenure: Choices,
    day: Numbers,
    data: Numbers,
    charges: Numbers,
    calls: Choices,
    happiness: Choices,
) -> Numbers:
    """Weigh what drives a customer away, in log-odds up to a constant."""
    monthly = contract == 0
    surprised = charges > np.array((38.0, 52.0, 82.0))[plan]
    annoyed = calls >= 4  # noqa: PLR2004 - where patience ends
    risk = np.array((1.4, -0.2, -1.7))[contract]
    risk += 2.4 * surprised * monthly + 0.7 * surprised
    risk += np.where(annoyed, 2.2 - 1.6 * (plan == 2), 0.25 * calls)  # noqa: PLR2004 - premium has a better support
    risk += 1.5 * monthly * np.exp(-tenure / 9.0) - 0.012 * np.minimum(tenure, 96)
    risk += 1.9 * international * (day > 210) - 0.4 * international  # noqa: PLR2004 - heavy callers
    risk += 0.45 * (payment == 1) - 0.4 * (payment == 2)  # noqa: PLR2004 - those who pay by themselves stay
    risk += 1.3 * ((data < 2) & (plan > 0))  # noqa: PLR2004 - they pay for what they do not use
    risk += -0.34 * (happiness - 6)
    return np.asarray(1.5 * risk, dtype=np.float64)


def _labels(random: np.random.Generator, risk: Numbers, quality: float) -> Choices:
    # Those whose risk and luck together are among the greatest leave: the share is the same for every seed.
    fate = risk + random.logistic(0.0, 1.0, len(risk))
    leaving = (fate > np.quantile(fate, 1 - _SHARE_LEAVING)).astype(np.int64)
    wrong = np.flatnonzero(random.random(len(risk)) >= quality)
    leaving[wrong] = leaving[random.permutation(wrong)]
    return leaving


def _words(words: Sequence[str], chosen: Choices) -> list[str]:
    return [words[index] for index in chosen.tolist()]


def _decimals(values: Numbers, places: int) -> Iterable[str]:
    return map(str, np.round(values, places).tolist())


def _csv(columns: Iterable[Iterable[str]]) -> str:
    return "\n".join([",".join(COLUMNS), *map(",".join, zip(*columns, strict=True)), ""])
