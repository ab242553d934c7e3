"""The hyperparameters of the built-in XGBoost algorithm: names, types and ranges, as plain data.

Sources: the page "XGBoost hyperparameters" of the SageMaker AI developer guide, and the validation that the algorithm's
own container runs before it trains. Where the page allows more than the container accepts (a `colsample_bytree` of 0),
the container decides, because it is what fails the paid training job.

Left out on purpose: `_kfold` and `_num_cv_round` (they write several models where the pipeline serves one) and
`_tuning_objective_metric` (set by SageMaker's tuner, never by a person).
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Kind(StrEnum):
    """How the algorithm reads the text of a hyperparameter."""

    INTEGER = "whole number"
    NUMBER = "number"
    WORD = "word"
    WORDS = "words separated by commas"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A range of numbers, open or closed at each end."""

    minimum: float = -math.inf
    maximum: float = math.inf
    above: bool = False
    """Whether `minimum` itself is outside."""
    below: bool = False
    """Whether `maximum` itself is outside."""

    def __contains__(self, value: float) -> bool:
        """Tell whether the finite `value` lies in the range."""
        over = value > self.minimum if self.above else value >= self.minimum
        under = value < self.maximum if self.below else value <= self.maximum
        return over and under

    def __str__(self) -> str:
        """Describe the range in words."""
        low = f"{'greater than' if self.above else 'at least'} {self.minimum:.10g}"
        high = f"{'less than' if self.below else 'at most'} {self.maximum:.10g}"
        parts = [low] * math.isfinite(self.minimum) + [high] * math.isfinite(self.maximum)
        return " and ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameter:
    """One hyperparameter that the algorithm accepts."""

    name: str
    kind: Kind
    interval: Interval = Interval()
    words: tuple[str, ...] = ()
    required: bool = False
    alias: str | None = None
    """A second name for the same thing."""

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        if self.words:
            several = "one or more, separated by commas, of " if self.kind is Kind.WORDS else "one of "
            return several + ", ".join(self.words)
        bounds = str(self.interval)
        return f"a {self.kind}{' ' if bounds else ''}{bounds}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperparameterProblem:
    """One reason why the algorithm would refuse the hyperparameters."""

    name: str
    """The hyperparameter, as it was written; for a missing one, the name that is missing."""
    value: object
    """The value as it was given; None for a missing one."""
    message: str
    allowed: str
    remedy: str
    missing: bool = False

    def __str__(self) -> str:
        """Say it in one sentence."""
        return f"hyperparameter {self.name}: {self.message}; allowed: {self.allowed}; {self.remedy}"


def _integer(name: str, **bounds: float) -> Hyperparameter:
    return Hyperparameter(name=name, kind=Kind.INTEGER, interval=_interval(bounds))


def _number(name: str, alias: str | None = None, **bounds: float) -> Hyperparameter:
    return Hyperparameter(name=name, kind=Kind.NUMBER, interval=_interval(bounds), alias=alias)


def _interval(bounds: Mapping[str, float]) -> Interval:
    return Interval(
        minimum=bounds.get("above", bounds.get("minimum", -math.inf)),
        maximum=bounds.get("below", bounds.get("maximum", math.inf)),
        above="above" in bounds,
        below="below" in bounds,
    )


def _word(name: str, *words: str) -> Hyperparameter:
    return Hyperparameter(name=name, kind=Kind.WORD, words=words)


METRICS: Final = (
    *("accuracy", "auc", "aucpr", "balanced_accuracy", "error", "f1", "f1_binary", "f1_macro", "logloss", "map"),
    *("merror", "mlogloss", "ndcg", "precision", "precision_macro", "precision_micro", "recall", "recall_macro"),
    *("recall_micro", "mae", "mape", "mphe", "mse", "r2", "rmse", "rmsle", "aft-nloglik", "cox-nloglik"),
    *("gamma-deviance", "gamma-nloglik", "interval-regression-accuracy", "poisson-nloglik", "tweedie-nloglik"),
)
"""The words of `eval_metric`; error, ndcg and map also take a threshold, as in `error@0.3`."""

THRESHOLD_METRICS: Final = ("error", "ndcg", "map")

TREE_BUILDERS: Final = ("grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker", "grow_quantile_histmaker")
TREE_UPDATERS: Final = (*TREE_BUILDERS, "grow_skmaker", "sync", "refresh", "prune")
LINEAR_UPDATERS: Final = ("shotgun", "coord_descent")

OBJECTIVES: Final = (
    *("binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob"),
    *("rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma"),
    *("reg:pseudohubererror", "reg:squaredlogerror", "reg:tweedie", "survival:aft", "survival:cox"),
)

_SHORTEST_STEM: Final = 3  # `development` means `dev`

HYPERPARAMETERS: Final[Mapping[str, Hyperparameter]] = {
    hyperparameter.name: hyperparameter
    for hyperparameter in (
        # how long
        Hyperparameter(name="num_round", kind=Kind.INTEGER, interval=Interval(minimum=1), required=True),
        _integer("early_stopping_rounds", minimum=1),
        # what is learned
        _word("objective", *OBJECTIVES),
        _integer("num_class", minimum=2),
        _number("base_score", minimum=0),
        Hyperparameter(name="eval_metric", kind=Kind.WORDS, words=METRICS),
        _number("scale_pos_weight", above=0),
        _number("tweedie_variance_power", above=1, below=2),
        _word("aft_loss_distribution", "normal", "logistic", "extreme"),
        _number("aft_loss_distribution_scale", minimum=0),
        # the booster
        _word("booster", "gbtree", "gblinear", "dart"),
        _number("eta", alias="learning_rate", minimum=0, maximum=1),
        _number("gamma", alias="min_split_loss", minimum=0),
        _integer("max_depth", minimum=0),
        _number("min_child_weight", minimum=0),
        _number("max_delta_step", minimum=0),
        _number("lambda", alias="reg_lambda", minimum=0),
        _number("alpha", alias="reg_alpha", minimum=0),
        _number("lambda_bias", minimum=0, maximum=1),
        _integer("num_parallel_tree", minimum=1),
        # sampling
        _number("subsample", above=0, maximum=1),
        _number("colsample_bytree", above=0, maximum=1),
        _number("colsample_bylevel", above=0, maximum=1),
        _number("colsample_bynode", above=0, maximum=1),
        _word("sampling_method", "uniform", "gradient_based"),
        # how trees are built
        _word("tree_method", "auto", "exact", "approx", "hist", "gpu_hist"),
        _word("grow_policy", "depthwise", "lossguide"),
        _integer("max_leaves", minimum=0),
        _integer("max_bin", minimum=0),
        _number("sketch_eps", above=0, below=1),
        Hyperparameter(name="updater", kind=Kind.WORDS, words=(*TREE_UPDATERS, *LINEAR_UPDATERS)),
        _word("process_type", "default", "update"),
        _integer("refresh_leaf", minimum=0, maximum=1),
        Hyperparameter(name="monotone_constraints", kind=Kind.TEXT),
        Hyperparameter(name="interaction_constraints", kind=Kind.TEXT),
        _word("dsplit", "row", "col"),
        _word("single_precision_histogram", "true", "false"),
        _word("deterministic_histogram", "true", "false"),
        _integer("prob_buffer_row", minimum=2),
        # dart
        _word("sample_type", "uniform", "weighted"),
        _word("normalize_type", "tree", "forest"),
        _number("rate_drop", minimum=0, maximum=1),
        _integer("one_drop", minimum=0, maximum=1),
        _number("skip_drop", minimum=0, maximum=1),
        # the run
        _integer("csv_weights", minimum=0, maximum=1),
        _integer("seed", above=-(2**31), below=2**31 - 1),
        _integer("nthread", minimum=1),
        _integer("verbosity", minimum=0, maximum=3),
        _word("predictor", "auto", "cpu_predictor", "gpu_predictor"),
        _word("save_model_on_termination", "true", "false"),
    )
}
"""Every hyperparameter that the algorithm accepts, by name."""

ALIASES: Final[Mapping[str, str]] = {each.alias: each.name for each in HYPERPARAMETERS.values() if each.alias}
"""Second names, and the name that each stands for."""


def text_of(value: str | float) -> str:
    """Write a value the way SageMaker hands it to the algorithm: always as text, truth in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def problems(hyperparameters: Mapping[str, str | int | float | bool]) -> list[HyperparameterProblem]:
    """List every reason why the algorithm would refuse `hyperparameters`; an empty list means that it accepts them.

    Values may be numbers or their text: SageMaker hands over text.
    """
    found: list[HyperparameterProblem] = []
    meant: set[str | None] = set()
    texts: dict[str, str] = {}
    for written, value in hyperparameters.items():
        name = ALIASES.get(written, written)
        hyperparameter = HYPERPARAMETERS.get(name)
        if hyperparameter is None:
            found.append(_unknown(written, value))
            meant.add(nearest(written, [*HYPERPARAMETERS, *ALIASES]))
        elif name != written and name in hyperparameters:
            message = f"means the same as {name}, which is set too"
            found.append(_problem(written, value, message, allowed=f"one of the two, {name} or {written}"))
        elif (misfit := _misfit(hyperparameter, text_of(value))) is not None:
            found.append(_problem(written, value, misfit, allowed=hyperparameter.allowed))
        else:
            texts[name] = text_of(value)
    present = {ALIASES.get(name, name) for name in hyperparameters}
    missing = [each for each in HYPERPARAMETERS.values() if each.required and each.name not in present]
    found += [_missing(each) for each in missing if each.name not in meant]  # a misspelt name is one mistake, not two
    for check in _COMBINATIONS:
        found += check(texts, present)
    return found


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Name the word that `word` is most likely a misspelling of, or None where nothing is near."""
    by_lower = {each.lower(): each for each in words}
    # Comparing is quadratic in the length: a text this long is not a misspelling of anything.
    word = word[:60].lower()
    matches = difflib.get_close_matches(word, by_lower, n=1)
    if not matches and len(word) >= _SHORTEST_STEM:
        matches = [each for each in by_lower if len(each) >= _SHORTEST_STEM and each.startswith(word)]
        matches += [each for each in by_lower if len(each) >= _SHORTEST_STEM and word.startswith(each)]
    return by_lower[matches[0]] if matches else None


def _problem(name: str, value: object, message: str, *, allowed: str, remedy: str = "") -> HyperparameterProblem:
    remedy = remedy or "change or remove the line"
    return HyperparameterProblem(name=name, value=value, message=message, allowed=allowed, remedy=remedy)


def _unknown(name: str, value: object) -> HyperparameterProblem:
    near = nearest(name, [*HYPERPARAMETERS, *ALIASES])
    remedy = f"did you mean {near}?" if near else "remove the line"
    allowed = ", ".join(sorted(HYPERPARAMETERS))
    return _problem(name, value, "is not a hyperparameter of XGBoost", allowed=allowed, remedy=remedy)


def _missing(hyperparameter: Hyperparameter) -> HyperparameterProblem:
    return HyperparameterProblem(
        name=hyperparameter.name,
        value=None,
        message="is required",
        allowed=hyperparameter.allowed,
        remedy=f"add the line '{hyperparameter.name}: ...'",
        missing=True,
    )


def _misfit(hyperparameter: Hyperparameter, text: str) -> str | None:
    """Say what is wrong with the text of a hyperparameter taken by itself."""
    if hyperparameter.kind in (Kind.INTEGER, Kind.NUMBER):
        number = _parse(text, hyperparameter.kind)
        if number is None:
            return f"is not a {hyperparameter.kind}"
        return None if number in hyperparameter.interval else "is out of range"
    if hyperparameter.words:
        listed = text.split(",") if hyperparameter.kind is Kind.WORDS else [text]
        for word in listed:
            if word not in hyperparameter.words and not _has_threshold(hyperparameter.name, word):
                near = nearest(word, hyperparameter.words)
                hint = f" (did you mean {near!r}?)" if near else ""
                return f"has the unknown word {word[:60]!r}{hint}"
    return None if text.strip() else "is empty"


def _parse(text: str, kind: Kind) -> float | None:
    try:
        number = float(int(text) if kind is Kind.INTEGER else float(text))
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _has_threshold(name: str, word: str) -> bool:
    metric, at, threshold = word.partition("@")
    return (
        name == "eval_metric"
        and bool(at)
        and metric in THRESHOLD_METRICS
        and _parse(threshold, Kind.NUMBER) is not None
    )


def _check_classes(texts: Mapping[str, str], present: set[str]) -> list[HyperparameterProblem]:
    if texts.get("objective", "").startswith("multi:") and "num_class" not in present:
        return [_missing(HYPERPARAMETERS["num_class"])]
    return []


def _check_metrics(texts: Mapping[str, str], present: set[str]) -> list[HyperparameterProblem]:
    if "objective" in present and "objective" not in texts:  # it is wrong itself
        return []
    objective, value = texts.get("objective", "reg:squarederror"), texts.get("eval_metric", "")
    metrics = value.split(",")
    found = []
    if "auc" in metrics and not objective.startswith(("binary:", "rank:")):
        message, allowed = (
            f"has auc, which cannot be measured with objective {objective}",
            "auc for binary:... and rank:...",
        )
        found.append(_problem("eval_metric", value, message, allowed=allowed))
    if "aft-nloglik" in metrics and objective != "survival:aft":
        message = f"has aft-nloglik, which cannot be measured with objective {objective}"
        found.append(_problem("eval_metric", value, message, allowed="aft-nloglik for survival:aft"))
    return found


def _check_constraints(texts: Mapping[str, str], _present: set[str]) -> list[HyperparameterProblem]:
    method, found = texts.get("tree_method"), []
    needs = {"monotone_constraints": ("exact", "hist"), "interaction_constraints": ("exact", "hist", "approx")}
    for name, methods in needs.items():
        if name in texts and method not in methods:
            remedy = f"set tree_method to {' or '.join(methods)}"
            message = f"cannot be used with tree_method {method or '(not set)'}"
            found.append(
                _problem(name, texts[name], message, allowed=f"tree_method {', '.join(methods)}", remedy=remedy)
            )
    return found


def _check_updater(texts: Mapping[str, str], _present: set[str]) -> list[HyperparameterProblem]:
    value = texts.get("updater")
    if value is None:
        return []
    words = value.split(",")
    if texts.get("booster") == "gblinear":
        fits, allowed = len(words) == 1 and words[0] in LINEAR_UPDATERS, f"one of {', '.join(LINEAR_UPDATERS)}"
    elif texts.get("process_type") == "update":
        fits, allowed = set(words) <= {"refresh", "prune"}, "refresh, prune"
    else:
        one_builder = sum(word in TREE_BUILDERS for word in words) <= 1
        fits, allowed = (
            one_builder and set(words) <= set(TREE_UPDATERS),
            f"one tree builder, of {', '.join(TREE_UPDATERS)}",
        )
    return [] if fits else [_problem("updater", value, "does not fit booster and process_type", allowed=allowed)]


_COMBINATIONS: Final[tuple[Callable[[Mapping[str, str], set[str]], list[HyperparameterProblem]], ...]] = (
    _check_classes,
    _check_metrics,
    _check_constraints,
    _check_updater,
)
