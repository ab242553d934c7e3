"""The rules that are about `train`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlops.container.rules import PREFIX, TRAIN, Finding, Status
from mlops.container.running import Ended, Limits, Training, train
from mlops.container.sample import Sample, as_strings, typed
from mlops.container.store import StoredImage, Variation

NONSENSE = "no such value"
_MOMENT = 0.2
_WITH_ROOT = Variation(root=True)
_WITH_EVERYTHING = Variation(writable=True, root=True)
_CAUSES = ("train-read-only-root", "train-offline", "train-unprivileged", "string-hyperparameters")
_ISOLATION = {"train-read-only-root", "train-offline", "train-unprivileged"}


class TrainingChecks:
    """Trains with the sample in all the ways that tell something."""

    def __init__(self, image: StoredImage, sample: Sample, *, isolates: bool, limits: Limits, model: Path) -> None:
        """`model` is where the model of a successful training is left."""
        self._image = image
        self._sample = sample
        self._isolates = isolates
        self._limits = limits
        self._model = model
        self._training = Training(hyperparameters=sample.strings, channels=sample.channels)
        self._seconds = 0.0
        self.succeeded = False
        self.findings_of_first: list[Finding] = []

    def findings(self) -> Iterator[Finding]:
        """Yield what there is to say about `train`; without a successful training, no more than that."""
        ended = self.first()
        yield from self.findings_of_first
        if ended is None:
            done = {one.rule.name for one in self.findings_of_first}
            for name, rule in TRAIN.items():
                if name not in done:
                    yield Finding(rule, Status.NOT_CHECKED, "the training with the sample does not succeed")
            return
        yield self._refusal("bad-hyperparameters", self._bad_hyperparameters())
        empty = {name: Path("/nonexistent") / path.name for name, path in self._sample.channels.items()}
        yield self._refusal("missing-data", replace(self._training, channels=empty))
        yield self._refusal("channels", replace(self._training, nonsense=True), reason=False)
        yield from self._stop()

    def first(self) -> Ended | None:
        """Train once, and find out which rule is broken when that fails; return the training that succeeded."""
        ended = train(self._image, self._training, self._limits, keep=self._model)
        broken: set[str] = set()
        said = _said(ended)
        if ended.code != 0:
            found = None if ended.code is None else self._blame()
            if found is None:
                self.findings_of_first = [Finding(TRAIN["exit-zero"], Status.FAILED, f"{_code(ended)}: {said}")]
                return None
            broken, ended = found
        self.succeeded = True
        self._seconds = ended.seconds
        detail = f"{ended.seconds:.1f} s" + (f", only without {' and '.join(sorted(broken))}" if broken else "")
        self.findings_of_first = [
            Finding(TRAIN["exit-zero"], Status.PASSED, detail),
            Finding(
                TRAIN["model-file"],
                Status.PASSED if ended.model else Status.FAILED,
                ", ".join(ended.model[:3]) or "/opt/ml/model is empty",
            ),
            *(self._cause(name, broken, said) for name in _CAUSES),
        ]
        return ended

    def _cause(self, name: str, broken: set[str], said: str) -> Finding:
        if name in broken:
            return Finding(TRAIN[name], Status.FAILED, f"otherwise it fails: {said}")
        if name in _ISOLATION and not self._isolates:
            return Finding(TRAIN[name], Status.NOT_CHECKED, "nothing is isolated on this rung")
        return Finding(TRAIN[name], Status.PASSED)

    def _blame(self) -> tuple[set[str], Ended] | None:
        """Take one strictness after the other away, then all, until the training succeeds."""
        loose: list[tuple[set[str], Training]] = [
            ({"string-hyperparameters"}, replace(self._training, hyperparameters=typed(self._sample.strings)))
        ]
        if self._isolates:
            loose += [
                ({"train-read-only-root"}, replace(self._training, variation=Variation(writable=True))),
                ({"train-offline"}, replace(self._training, network=True)),
                ({"train-unprivileged"}, replace(self._training, variation=_WITH_ROOT)),
                (_ISOLATION, replace(self._training, variation=_WITH_EVERYTHING, network=True)),
            ]
        for broken, training in loose:
            ended = train(self._image, training, self._limits, keep=self._model)
            if ended.code == 0:
                self._training = training
                return broken, ended
        return None

    def _bad_hyperparameters(self) -> Training | None:
        given: dict[str, Any] | None = self._sample.bad_hyperparameters
        if given is None:
            given = dict.fromkeys(self._sample.hyperparameters, NONSENSE)
        return replace(self._training, hyperparameters=as_strings(given)) if given else None

    def _refusal(self, name: str, training: Training | None, *, reason: bool = True) -> Finding:
        rule = TRAIN[name]
        if training is None:
            return Finding(rule, Status.NOT_OFFERED, "the sample has no hyperparameters")
        ended = train(self._image, training, self._limits)
        if ended.code is None:
            return Finding(rule, Status.FAILED, f"it does not end within {self._limits.training:.0f} s")
        if ended.code == 0:
            return Finding(rule, Status.FAILED, "it exits with 0 all the same")
        if reason and not ended.failure:
            return Finding(rule, Status.FAILED, f"{_code(ended)}, but /opt/ml/output/failure says nothing")
        return Finding(rule, Status.PASSED, ended.failure or _code(ended))

    def _stop(self) -> Iterator[Finding]:
        training = replace(self._training, checkpoints=True)
        # In the middle of what the sample lasts, or soon after what it takes to begin where the training is long.
        signal_after = max(_MOMENT, self._seconds / 2)
        if self._sample.long_hyperparameters is not None:
            training = replace(training, hyperparameters=as_strings(self._sample.long_hyperparameters))
            signal_after = max(1.0, self._seconds)
        ended = train(self._image, training, self._limits, signal_after=signal_after)
        wanted = self._image.labels.get(f"{PREFIX}checkpoint", "").lower() == "true"
        absent = Finding(TRAIN["checkpoint"], Status.NOT_OFFERED, "no label asks for it, and none was left")
        if ended.code is None:
            message = f"it still runs {self._limits.training_end:.0f} s after SIGTERM"
            yield Finding(TRAIN["train-stops"], Status.FAILED, message)
            yield Finding(TRAIN["checkpoint"], Status.NOT_CHECKED, message) if wanted else absent
            return
        if ended.seconds_after_signal is None:
            message = (
                f"it had ended before SIGTERM came after {signal_after:.1f} s; bring sample/long-hyperparameters.json"
            )
            yield Finding(TRAIN["train-stops"], Status.NOT_CHECKED, message)
            yield Finding(TRAIN["checkpoint"], Status.NOT_CHECKED, message) if wanted else absent
            return
        yield Finding(TRAIN["train-stops"], Status.PASSED, f"{ended.seconds_after_signal:.1f} s after SIGTERM")
        if ended.checkpoints:
            yield Finding(TRAIN["checkpoint"], Status.PASSED, ", ".join(ended.checkpoints[:3]))
        elif wanted:
            yield Finding(TRAIN["checkpoint"], Status.FAILED, "/opt/ml/checkpoints is empty")
        else:
            yield absent


def _code(ended: Ended) -> str:
    return "it did not end" if ended.code is None else f"status {ended.code}"


def _said(ended: Ended) -> str:
    lines = (ended.failure or ended.output).strip().splitlines()
    return lines[-1][-300:] if lines else "it said nothing"
