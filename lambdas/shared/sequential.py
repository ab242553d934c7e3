"""Tests of outcomes that hold their error rate however often one looks.

They rest on e-values: numbers that multiply up to more than 1/x with a probability of at most x where there is no
effect, at any time, also at one chosen because of what was seen (Ville 1939; Ramdas, Grünwald, Vovk and Shafer,
"Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38, 2023).

Two versions are compared look by look: what was observed since the last look, of requests that were divided alike, is
one stratum. Which outcomes fell to which version is, without a difference, a matter of chance within it, whatever else
changed between the looks: the season, the requests, the share of a version. So a drift cannot pass for an effect.

- Outcomes of 0 and 1: given how many of a stratum are 1, those of the challenger follow the hypergeometric
  distribution, and under an odds ratio Fisher's noncentral one. Their likelihood ratio is an e-value, exactly and for
  every number of outcomes, and the product over the strata a martingale (conditional e-variables: Hao, Grünwald, Lardy,
  Long and Adams, "E-values for k-sample tests with exponential families", Sankhya A, 2024; over strata: Grünwald, Ly,
  Pérez-Ortiz and ter Schure, "The safe logrank test", PMLR 146, 2021).
- Other numbers: the same with the normal distribution of the mean difference, which holds for many outcomes (asymptotic
  confidence sequences: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
  asymptotic confidence sequences", Annals of Statistics 52, 2024).

How large an effect is, is not known before: the e-values of several effects are averaged (a mixture, Robbins 1970).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import Field

from lambdas.shared.events import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

LOG_ODDS_RATIOS: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Effects on outcomes of 0 and 1, as logarithms of odds ratios; against 10 %: 10.5, 11, 12, 14, 20 and 36 %."""
STANDARDIZED: Final = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""Effects on other numbers, in standard deviations."""
_SHARE_STEPS: Final = 40
_NEGLIGIBLE: Final = -41.0
"""Terms below this part of the largest are left out, as a logarithm: 1e-18, where a float holds 16 digits."""

Count = Annotated[int, Field(ge=0)]
Logs = Annotated[
    tuple[float, ...], Field(strict=False, min_length=len(LOG_ODDS_RATIOS), max_length=len(LOG_ODDS_RATIOS))
]


class Tally(Document):
    """How many outcomes of a version there are, their sum and the sum of their squares."""

    n: Count = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        """The mean outcome; NaN without one."""
        return self.total / self.n if self.n else math.nan

    @property
    def variance(self) -> float:
        """The variance of a single outcome; NaN below two."""
        if self.n <= 1:
            return math.nan
        return max(self.squares - self.total * self.total / self.n, 0.0) / (self.n - 1)

    @property
    def is_binary(self) -> bool:
        """Whether the outcomes can only be 0 and 1: then they equal their squares."""
        return self.squares == self.total and 0 <= self.total <= self.n and self.total == int(self.total)

    def since(self, earlier: Tally) -> Tally:
        """Return what has been added to `earlier`.

        Raises:
            ValueError: fewer outcomes than before, so these are not later counts of the same thing.

        """
        if self.n < earlier.n:
            msg = f"{self.n:,} outcomes after {earlier.n:,}: counts of outcomes can only grow"
            raise ValueError(msg)
        return Tally(n=self.n - earlier.n, total=self.total - earlier.total, squares=self.squares - earlier.squares)


class Arms(Document):
    """The outcomes of both versions."""

    champion: Tally = Tally()
    challenger: Tally = Tally()


class Evidence(Document):
    """What all looks together say about two versions; the state that each look hands to the next."""

    seen: dict[str, Arms] = Field(default_factory=dict)
    """All outcomes so far, by what the requests were divided by."""
    binary: bool = True
    """Whether all outcomes so far were 0 or 1."""
    score: float = 0.0
    """What the challenger has more than its part of each stratum, summed up."""
    weight: float = 0.0
    """How many outcomes the comparison is worth: of each stratum n1 n2 / (n1 + n2)."""
    champion_part: float = 0.0
    """The part of `weight` whose noise comes from the champion; the rest comes from the challenger."""
    higher: Logs = (0.0,) * len(LOG_ODDS_RATIOS)
    """Logarithms of the e-values for a higher mean of the challenger, one for each of `LOG_ODDS_RATIOS`."""
    lower: Logs = (0.0,) * len(LOG_ODDS_RATIOS)
    """The same for a lower one."""

    def observe(self, arms: Arms, *, division: str = "") -> Self:
        """Return the evidence after a look at the counts, which are those since the beginning.

        Outcomes of requests that were divided otherwise have counts of their own, under another `division`: outcomes
        come later than their requests, good ones often sooner than bad ones, so that a version whose share has just
        grown would seem better.

        Raises:
            ValueError: one of them is smaller than at an earlier look.

        """
        before = self.seen.get(division, Arms())
        here, there = arms.champion.since(before.champion), arms.challenger.since(before.challenger)
        binary = self.binary and here.is_binary and there.is_binary
        changes: dict[str, object] = {"seen": {**self.seen, division: arms}, "binary": binary}
        n = here.n + there.n
        if here.n and there.n:
            weight = here.n * there.n / n
            changes["score"] = self.score + there.total - there.n * (here.total + there.total) / n
            changes["weight"] = self.weight + weight
            changes["champion_part"] = self.champion_part + weight * weight / here.n
        if binary and here.n and there.n:
            gains = _gains(here.n, there.n, round(here.total + there.total), round(there.total))
            changes["higher"] = tuple(map(sum, zip(self.higher, gains[0], strict=True)))
            changes["lower"] = tuple(map(sum, zip(self.lower, gains[1], strict=True)))
        return self.model_copy(update=changes)

    @property
    def champion(self) -> Tally:
        """All outcomes of the champion."""
        return _sum_up(arms.champion for arms in self.seen.values())

    @property
    def challenger(self) -> Tally:
        """All outcomes of the challenger."""
        return _sum_up(arms.challenger for arms in self.seen.values())

    @property
    def difference(self) -> float:
        """By how much the challenger's mean outcome is higher than the champion's; NaN before both have outcomes."""
        return self.score / self.weight if self.weight else math.nan

    @property
    def deviation(self) -> float:
        """The standard deviation of a single outcome, as it counts in `difference`; NaN where it is not known."""
        if not self.weight:
            return math.nan
        parts = self.champion_part, self.weight - self.champion_part
        variance = (parts[0] * self.champion.variance + parts[1] * self.challenger.variance) / self.weight
        return math.sqrt(variance)

    def p_higher(self) -> float:
        """Return the always-valid p-value of "the challenger's mean is not higher", one-sided, at most 1."""
        return _p_value(self._logs(1))

    def p_lower(self) -> float:
        """Return the always-valid p-value of "the challenger's mean is not lower", one-sided, at most 1."""
        return _p_value(self._logs(-1))

    def interval(self, error_rate: float) -> tuple[float, float]:
        """Return between what the true difference lies, at all looks together but for `error_rate` of the trials.

        It rests on the normal distribution also where outcomes are 0 and 1, so near the limit it may disagree with the
        p-values, which decide. Infinite before anything is known.
        """
        deviation = self.deviation
        if not deviation > 0:
            return -math.inf, math.inf
        reach = _reach(self.weight, math.log(2 / error_rate)) * deviation / self.weight
        return self.difference - reach, self.difference + reach

    def _logs(self, sign: int) -> Sequence[float]:
        if self.binary:
            return self.higher if sign > 0 else self.lower
        deviation = self.deviation
        if not deviation > 0:
            return [0.0]
        return _normal_logs(sign * self.score / deviation, self.weight)


def _sum_up(tallies: Iterable[Tally]) -> Tally:
    each = list(tallies)
    return Tally(
        n=sum(tally.n for tally in each),
        total=math.fsum(tally.total for tally in each),
        squares=math.fsum(tally.squares for tally in each),
    )


def p_share_above(n: int, hits: int, limit: float) -> float:
    """Return the always-valid p-value of "the share of hits is at most `limit`"; small: the share is larger."""
    if not 0 < limit < 1:
        return 0.0 if hits and limit <= 0 else 1.0
    return _p_value([_share_log(n, hits, limit, other) for other in _shares(limit, 1.0)])


def p_share_below(n: int, hits: int, limit: float) -> float:
    """Return the always-valid p-value of "the share of hits is at least `limit`"; small: the share is smaller.

    No number of misses shows that a share is below 0, so it is 1 there.
    """
    if not 0 < limit < 1:
        return 0.0 if hits < n and limit >= 1 else 1.0
    return _p_value([_share_log(n, hits, limit, other) for other in _shares(limit, 0.0)])


def _p_value(logs: Sequence[float]) -> float:
    """Return 1 over the mean e-value."""
    most = max(logs)
    mean = most + math.log(math.fsum(math.exp(each - most) for each in logs) / len(logs))
    return math.exp(-mean) if mean > 0 else 1.0


def _shares(limit: float, end: float) -> list[float]:
    """Return alternatives to the share `limit` towards `end`, dense near the limit."""
    return [limit + (end - limit) * (step / (_SHARE_STEPS + 1)) ** 2 for step in range(1, _SHARE_STEPS + 1)]


def _share_log(n: int, hits: int, limit: float, other: float) -> float:
    return hits * math.log(other / limit) + (n - hits) * math.log((1 - other) / (1 - limit))


def _normal_logs(score: float, weight: float) -> list[float]:
    return [effect * score - effect * effect * weight / 2 for effect in STANDARDIZED]


def _reach(weight: float, bar: float) -> float:
    """Return the standardized score at which the mean e-value is e to the power of `bar`."""
    low, high = 0.0, weight * STANDARDIZED[-1] + (bar + math.log(len(STANDARDIZED))) / STANDARDIZED[0]
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _p_value(_normal_logs(middle, weight)) <= math.exp(-bar) else (middle, high)
    return high


def _gains(n1: int, n2: int, ones: int, hits: int) -> tuple[list[float], list[float]]:
    """Return the log likelihood ratios of `hits` ones of the challenger, for higher and for lower odds.

    The stratum has `n1` outcomes of the champion and `n2` of the challenger, `ones` of all being 1.
    """
    middle, higher, lower = _normalizers(n1, n2, ones)
    away = hits - middle
    return (
        [effect * away - total for effect, total in zip(LOG_ODDS_RATIOS, higher, strict=True)],
        [-effect * away - total for effect, total in zip(LOG_ODDS_RATIOS, lower, strict=True)],
    )


@lru_cache(maxsize=1 << 16)  # a trial has few strata, but a simulation has millions, most of them like others
def _normalizers(n1: int, n2: int, ones: int) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Return a number of ones in the middle, and by what an effect scales the probabilities, relative to that number.

    The latter are the logarithms of the means of e to the power of effect and distance, for higher and for lower odds.
    """
    # The most probable number without an effect; all sums are relative to it and go outwards from it.
    middle = min(max((ones + 1) * (n2 + 1) // (n1 + n2 + 2), ones - n1, 0), ones, n2)
    up = list(_terms(lambda k: (ones - k) * (n2 - k) / ((k + 1) * (n1 - ones + k + 1)), middle, 1))
    down = list(_terms(lambda k: k * (n1 - ones + k) / ((ones - k + 1) * (n2 - k + 1)), middle, -1))
    total = _log_sum(up, down, 0.0)
    higher = tuple(_log_sum(up, down, effect) - total for effect in LOG_ODDS_RATIOS)
    lower = tuple(_log_sum(down, up, effect) - total for effect in LOG_ODDS_RATIOS)
    return middle, higher, lower


def _terms(ratio: Callable[[int], float], start: int, step: int) -> Iterator[float]:
    """Yield the logarithms of the probabilities from `start` on, relative to the first, while any effect counts them.

    `ratio` is that of a probability to the one before it. Logarithms, because far from the middle the probabilities
    themselves are 0 to a computer, and what a strong effect makes of them is infinite.
    """
    term = tilted = largest = 0.0
    place = start
    while tilted > largest + _NEGLIGIBLE:
        yield term
        factor = ratio(place)
        if factor <= 0:
            return
        term, place = term + math.log(factor), place + step
        tilted = term + LOG_ODDS_RATIOS[-1] * abs(place - start)
        largest = max(largest, tilted)


def _log_sum(along: Sequence[float], against: Sequence[float], effect: float) -> float:
    """Return the logarithm of the sum of all probabilities, each times e to the power of effect times distance.

    Both sequences begin with the same term.
    """
    logs = [term + effect * distance for distance, term in enumerate(along)]
    logs += [term - effect * distance for distance, term in enumerate(against)][1:]
    most = max(logs)
    return most + math.log(math.fsum(math.exp(each - most) for each in logs))
