"""How often the sequential test of A/B tests errs, and how soon it finds an effect, against a z-test with peeking.

Simulated trials go as the judge's do: both versions need their minimum of outcomes, the challenger's share grows when
it has brought that many more, and every batch is followed by a look. The z-test sees the same outcomes; looked at once,
at the end, it would err in 5 % of the trials without an effect.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.figures import Figure
from lambdas.shared.sequential import Arms, Evidence, Tally

SEED: Final = 20261123
NULL_TRIALS, EFFECT_TRIALS = 10_000, 2_000
MINIMUM: Final = 500
ERROR_RATE: Final = 0.05
GROWING: Final = (0.10, 0.25, 0.50)
_Z: Final = 1.959964
_POWER_Z: Final = 0.841621
"""Of the normal distribution: 80 % lie below it."""

Draw = Callable[[np.random.Generator, int, int, int], tuple[float, float]]
"""Returns sum and sum of squares of so many outcomes of arm 0 or 1 in a batch: (generator, arm, batch, number)."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Simulated trials of one kind."""

    name: str
    draw: Draw
    shares: Sequence[float] = (0.5,)
    batch: int = 400
    looks: int = 30
    late: int = 0
    """By how many batches outcomes of 0 become known later than those of 1."""
    divided: bool = True
    """Whether outcomes are counted by the share at which they arose, as the API does."""


@dataclass(frozen=True, kw_only=True)
class Ends:
    """How the trials of a scenario ended, as shares of them; `outcomes` is the mean number until the end."""

    won: float
    lost: float
    outcomes: float
    naive: float


def measure() -> list[Figure]:
    """Return error rates without an effect, and power and sample sizes with one."""
    return [*_errors(), *_effects()]


def simulate(scenario: Scenario, trials: int) -> Ends:
    """Run `trials` of a scenario; the same seed for each scenario."""
    chance = np.random.default_rng(SEED)
    ends = [_trial(scenario, chance) for _ in range(trials)]
    return Ends(
        won=sum(end == 1 for end, _, _ in ends) / trials,
        lost=sum(end == -1 for end, _, _ in ends) / trials,
        outcomes=sum(outcomes for _, outcomes, _ in ends) / trials,
        naive=sum(naive for _, _, naive in ends) / trials,
    )


class _Counters:
    """Counts of outcomes by division and arm, as the API keeps them, and of all together."""

    def __init__(self) -> None:
        self.divisions: dict[str, list[Tally]] = {}
        self.total = [Tally(), Tally()]
        self.changed: set[str] = set()

    def add(self, division: str, arm: int, more: Tally) -> None:
        for place in (self.divisions.setdefault(division, [Tally(), Tally()]), self.total):
            seen = place[arm]
            place[arm] = Tally(n=seen.n + more.n, total=seen.total + more.total, squares=seen.squares + more.squares)
        self.changed.add(division)

    def news(self) -> Iterator[tuple[str, Arms]]:
        """Yield the divisions that have changed since they were asked for."""
        for division in sorted(self.changed):
            champion, challenger = self.divisions[division]
            yield division, Arms(champion=champion, challenger=challenger)
        self.changed.clear()


def _trial(scenario: Scenario, chance: np.random.Generator) -> tuple[int, int, bool]:
    """Return the verdict, the outcomes until then, and whether repeated z-tests would have found an effect."""
    evidence, verdict, outcomes, naive = Evidence(), 0, 0, False
    counters = _Counters()
    waiting: deque[list[tuple[str, int, int]]] = deque([[] for _ in range(scenario.late)])
    step = before = 0
    for look in range(scenario.looks):
        division = str(step) if scenario.divided else ""
        challengers, late = int(chance.binomial(scenario.batch, scenario.shares[step])), []
        for arm, n in ((0, scenario.batch - challengers), (1, challengers)):
            total, squares = scenario.draw(chance, arm, look, n)
            known = round(total) if scenario.late else n
            late.append((division, arm, n - known))
            counters.add(division, arm, Tally(n=known, total=total, squares=squares))
        waiting.append(late)
        for place, arm, zeros in waiting.popleft() if scenario.late else ():
            counters.add(place, arm, Tally(n=zeros))
        champion, challenger = counters.total
        if not verdict:
            for place, arms in counters.news():
                evidence = evidence.observe(arms, division=place)
            outcomes = champion.n + challenger.n
        if min(champion.n, challenger.n) < MINIMUM:
            continue
        verdict = verdict or _verdict(evidence)
        naive = naive or abs(_z(champion, challenger)) > _Z
        if challenger.n - before >= MINIMUM and step + 1 < len(scenario.shares):
            step, before = step + 1, challenger.n
    return verdict, outcomes, naive


def _verdict(evidence: Evidence) -> int:
    return (evidence.p_higher() <= ERROR_RATE / 2) - (evidence.p_lower() <= ERROR_RATE / 2)


def _z(champion: Tally, challenger: Tally) -> float:
    error = math.sqrt(champion.variance / champion.n + challenger.variance / challenger.n)
    return (challenger.mean - champion.mean) / error if error else 0.0


def rates(champion: float, challenger: float, *, drift: float = 0.0) -> Draw:
    """Return a source of outcomes 0 and 1; both rates rise by `drift` over 30 batches."""

    def draw(chance: np.random.Generator, arm: int, batch: int, number: int) -> tuple[float, float]:
        ones = float(chance.binomial(number, (champion, challenger)[arm] + drift * batch / 30))
        return ones, ones

    return draw


def amounts(*, difference: float = 0.0, sigma: float = 1.0) -> Draw:
    """Return a source of lognormal amounts, as of purchases; the challenger's are higher by `difference` deviations."""
    deviation = math.sqrt((math.exp(sigma**2) - 1) * math.exp(sigma**2))

    def draw(chance: np.random.Generator, arm: int, _batch: int, number: int) -> tuple[float, float]:
        values = chance.lognormal(0.0, sigma, number) + arm * difference * deviation
        return float(values.sum()), float((values**2).sum())

    return draw


def _errors() -> list[Figure]:
    scenarios = [
        Scenario(name=f"{base:.1%}, {_words(shares)}", draw=rates(base, base), shares=shares)
        for base in (0.005, 0.02, 0.10, 0.50)
        for shares in ((0.5,), (0.1,), GROWING)
    ]
    scenarios += [
        Scenario(name=f"10.0%, {_words(GROWING)}, 120 looks", draw=rates(0.1, 0.1), shares=GROWING, looks=120),
        Scenario(
            name=f"5% to 25% within the trial, {_words(GROWING)}", draw=rates(0.05, 0.05, drift=0.2), shares=GROWING
        ),
        Scenario(name=f"0 known 5 looks later than 1, {_words(GROWING)}", draw=rates(0.1, 0.1), late=5, shares=GROWING),
        Scenario(
            name=f"the same without counting by share, {_words(GROWING)}",
            draw=rates(0.1, 0.1),
            late=5,
            shares=GROWING,
            divided=False,
        ),
        Scenario(name=f"amounts, {_words((0.5,))}", draw=amounts()),
        Scenario(name=f"amounts, {_words(GROWING)}", draw=amounts(), shares=GROWING),
    ]
    figures = []
    for scenario in scenarios:
        ends = simulate(scenario, NULL_TRIALS)
        note = f"{NULL_TRIALS:,} trials, {scenario.looks} looks after {scenario.batch} outcomes each"
        wrong = f"won {ends.won:.2%}, lost {ends.lost:.2%}; {note}"
        figures += [
            _figure(f"false decisions: {scenario.name}", 100 * (ends.won + ends.lost), "%", wrong),
            _figure(f"the same, z-tests: {scenario.name}", 100 * ends.naive, "%", note),
        ]
    return figures


def _effects() -> list[Figure]:
    figures = []
    for champion, challenger in ((0.10, 0.11), (0.10, 0.12), (0.02, 0.03), (0.50, 0.55)):
        fixed = _fixed_sample(champion, challenger)
        for factor in (1, 2, 3):
            name = f"{champion:.0%} to {challenger:.0%}, at most {factor} times the outcomes of a fixed test"
            scenario = Scenario(
                name=name, draw=rates(champion, challenger), batch=math.ceil(factor * fixed / 40), looks=40
            )
            ends = simulate(scenario, EFFECT_TRIALS)
            note = f"{EFFECT_TRIALS:,} trials, half of the traffic each, 40 looks, fixed test {fixed:,} (80 % power)"
            figures += [
                _figure(f"found: {name}", 100 * ends.won, "%", f"lost {ends.lost:.2%}; {note}"),
                _figure(f"outcomes until the end: {name}", round(ends.outcomes), "", note),
            ]
    return figures


def _fixed_sample(champion: float, challenger: float) -> int:
    """Return how many outcomes of both together a z-test with 80 % power needs that looks once."""
    variance = champion * (1 - champion) + challenger * (1 - challenger)
    return 2 * math.ceil((_Z + _POWER_Z) ** 2 * variance / (champion - challenger) ** 2)


def _words(shares: Sequence[float]) -> str:
    return "challenger " + " then ".join(f"{share:.0%}" for share in shares)


def _figure(name: str, value: float, unit: str, note: str) -> Figure:
    return Figure(name=name, value=round(value, 3), unit=unit, note=note)
