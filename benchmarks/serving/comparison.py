"""What the measurements say: medians over the rounds, ratios within a round, nothing where a request failed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.figures import Figure
from benchmarks.serving.contenders import FLOOR, OURS, SEED
from benchmarks.serving.load import Sample
from benchmarks.serving.plan import Case, Plan

GOAL_CONCURRENCY = 16
GOALS = {1: 30.0, 1000: 15.0}
"""How many times as many requests a second as the predecessor, by the rows of a request, at GOAL_CONCURRENCY."""
FLOOR_GOAL = 0.8
"""The share of the floor's requests a second."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A ratio that was taken in every round: the median of the rounds and the range."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the ratio of the round in the middle."""
        return statistics.median(self.rounds)


@dataclass(kw_only=True)
class Results:
    """All measurements of one run."""

    plan: Plan
    titles: dict[str, str]
    generator: str
    starts: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    samples: dict[tuple[str, Case], list[Sample]] = field(default_factory=dict)

    def add(self, key: str, case: Case, sample: Sample) -> None:
        """Keep one measurement."""
        self.samples.setdefault((key, case), []).append(sample)

    def add_start(self, key: str, seconds: float) -> None:
        """Keep the time from the start of a server to its first healthy ping."""
        self.starts.setdefault(key, []).append(seconds)

    def errors(self, key: str, case: Case) -> int:
        """Return how many requests of a case failed."""
        return sum(sample.errors for sample in self.samples.get((key, case), []))

    def valid(self, key: str, case: Case) -> list[Sample]:
        """Return the measurements of a case, none at all when one request of it failed."""
        samples = self.samples.get((key, case), [])
        return samples if all(sample.valid for sample in samples) else []

    def median(self, key: str, case: Case, value: Callable[[Sample], float]) -> float | None:
        """Return the median of a value over the rounds; None where a request failed."""
        samples = self.valid(key, case)
        return statistics.median(map(value, samples)) if samples else None

    def ratio(
        self,
        key: str,
        other: str,
        case: Case,
        *,
        value: Callable[[Sample], float] = lambda sample: sample.per_second,
        of: Callable[[Sample], float] | None = None,
    ) -> Ratio | None:
        """Return how many times `value` is what it (or `of`) is for `other`; None where a request of either failed."""
        pairs = list(zip(self.valid(key, case), self.valid(other, case), strict=False))
        rounds = tuple(value(mine) / (of or value)(theirs) for mine, theirs in pairs)
        return Ratio(rounds=rounds) if rounds else None

    def tail(self, case: Case) -> Ratio | None:
        """Return our p99 as a share of the predecessor's p50."""
        return self.ratio(OURS, SEED, case, value=lambda sample: sample.p99_ms, of=lambda sample: sample.p50_ms)

    def best_alternative(self, case: Case) -> str | None:
        """Return the fastest server but ours, the predecessor and the floor."""
        speeds = {key: self.median(key, case, lambda sample: sample.per_second) for key in self.titles}
        known = {key: speed for key, speed in speeds.items() if speed is not None and key not in {OURS, SEED, FLOOR}}
        return max(known, key=known.__getitem__) if known else None

    def figures(self) -> list[Figure]:
        """Return everything for results.json."""
        return [*self._ratios(), *self._servers(), *self._measurements()]

    def _ratios(self) -> Iterator[Figure]:
        for case in self.plan.cases():
            best = self.best_alternative(case)
            wanted = {
                "requests a second, times the predecessor's": self.ratio(OURS, SEED, case),
                "requests a second, times the best alternative's": self.ratio(OURS, best, case) if best else None,
                "requests a second, share of the floor's": self.ratio(OURS, FLOOR, case),
                "p99, share of the predecessor's p50": self.tail(case),
            }
            notes = {"requests a second, times the best alternative's": self.titles.get(best or "", "")}
            for name, ratio in wanted.items():
                if ratio is not None:
                    yield Figure(
                        name=f"{case}: {name}",
                        value=round(ratio.median, 3),
                        unit="times",
                        runs=tuple(round(one, 3) for one in ratio.rounds),
                        note=notes.get(name, ""),
                    )

    def _servers(self) -> Iterator[Figure]:
        for key, title in self.titles.items():
            if key != FLOOR:  # it loads what a server would not
                runs = tuple(round(seconds, 3) for seconds in self.starts[key])
                yield Figure(name=f"{title}: start-up", value=statistics.median(runs), unit="s", runs=runs)
                note = "resident, summed over its processes"
                yield Figure(name=f"{title}: memory", value=round(self.memory[key]), unit="MiB", note=note)
            failed = sum(self.errors(key, case) for case in self.plan.cases())
            yield Figure(name=f"{title}: requests that failed", value=failed, unit="")

    def _measurements(self) -> Iterator[Figure]:
        for case in self.plan.cases():
            for key, title in self.titles.items():
                samples = self.valid(key, case)
                if samples:
                    runs = tuple(round(sample.per_second) for sample in samples)
                    name = f"{case}: {title}"
                    yield Figure(name=name, value=statistics.median(runs), unit="requests/s", runs=runs)
                    p50 = statistics.median(sample.p50_ms for sample in samples)
                    p99 = statistics.median(sample.p99_ms for sample in samples)
                    yield Figure(name=f"{name}, p50", value=round(p50, 3), unit="ms")
                    yield Figure(name=f"{name}, p99", value=round(p99, 3), unit="ms")
