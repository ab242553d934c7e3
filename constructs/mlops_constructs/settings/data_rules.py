"""What the data of a model must satisfy: the label, the columns and the split."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from mlops_constructs.settings.data import ColumnType
from mlops_constructs.settings.findings import known, repeated
from mlops_constructs.settings.problems import Finding, Path, listed
from mlops_constructs.settings.xgboost_hyperparameters import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_constructs.settings.data import Column
    from mlops_constructs.settings.model import ModelSettings

_FEWEST_WORDS: Final = 2


def check_label(model: ModelSettings) -> Iterator[Finding]:
    """Require a label among the columns that is never blank and can be predicted."""
    label, columns = model.data.label, model.data.columns
    if label not in columns:
        near = nearest(label, columns)
        remedy = f"did you mean {near}?" if near else "name one of the columns, or add this one"
        allowed = f"one of {listed(list(columns))}"
        yield Finding(path=("data", "label"), message="is not a column", allowed=allowed, remedy=remedy)
        return
    path: Path = ("data", "columns", label)
    if columns[label].type == ColumnType.IGNORE:
        message = "is the label, which cannot be ignored"
        allowed = "type category (classes), or type number or integer (a quantity)"
        yield Finding(path=(*path, "type"), message=message, allowed=allowed, remedy="write 'type: category'")
        return
    if columns[label].missing:
        message, remedy = "is set for the label, which may not be blank", "remove it"
        yield Finding(path=(*path, "missing"), message=message, allowed="false", remedy=remedy)


def check_features(model: ModelSettings) -> Iterator[Finding]:
    """Require a column to learn from."""
    label = model.data.label
    if not any(name != label and column.type != ColumnType.IGNORE for name, column in model.data.columns.items()):
        message = "has nothing to learn from: every column is ignored or the label"
        allowed = "at least one column of type number, integer or category besides the label"
        yield Finding(path=("data", "columns"), message=message, allowed=allowed, remedy="add a column")


def check_columns(model: ModelSettings) -> Iterator[Finding]:
    """Require each column to say what its type needs, and nothing else."""
    for name, column in model.data.columns.items():
        for rule in (_check_categories, _check_bounds, _check_foreign):
            yield from known(rule(column, ("data", "columns", name)))


def _check_categories(column: Column, path: Path) -> Iterator[Finding]:
    if column.type != ColumnType.CATEGORY:
        return
    path = (*path, "categories")
    if len(column.categories) < _FEWEST_WORDS:
        remedy = "list the words, such as categories: [basic, plus]"
        yield Finding(path=path, message="lists fewer than two words", allowed="two or more words", remedy=remedy)
    yield from repeated(column.categories, path)


def _check_bounds(column: Column, path: Path) -> Iterator[Finding]:
    if column.type not in (ColumnType.NUMBER, ColumnType.INTEGER):
        return
    low, high = column.minimum, column.maximum
    if column.type == ColumnType.INTEGER:
        for key, bound in (("minimum", low), ("maximum", high)):
            if bound is not None and not float(bound).is_integer():
                remedy = "write a whole number, or 'type: number'"
                yield Finding(
                    path=(*path, key), message="belongs to an integer", allowed="a whole number", remedy=remedy
                )
    if low is not None and high is not None and low >= high:
        allowed = f"more than the minimum, {low:.10g}"
        yield Finding(path=(*path, "maximum"), message="is not above the minimum", allowed=allowed, remedy="swap them")


def _check_foreign(column: Column, path: Path) -> Iterator[Finding]:
    numeric = column.type in (ColumnType.NUMBER, ColumnType.INTEGER)
    foreign = {
        "minimum": not numeric and column.minimum is not None,
        "maximum": not numeric and column.maximum is not None,
        "categories": column.type != ColumnType.CATEGORY and bool(column.categories),
        "missing": column.type == ColumnType.IGNORE and column.missing,
    }
    for key, wrong in foreign.items():
        if wrong:
            allowed = {"categories": "type category", "missing": "type number, integer or category"}.get(key)
            yield Finding(
                path=(*path, key),
                message=f"has no meaning for type {column.type}",
                allowed=allowed or "type number or integer",
                remedy=f"remove '{key}', or change the type",
            )


def check_split(model: ModelSettings) -> Iterator[Finding]:
    """Require the shares of the split to add up to one."""
    split = model.data.split
    total = split.train + split.validation + split.test
    if not math.isclose(total, 1, abs_tol=1e-6):
        message = f"adds up to {total:.6g}"
        allowed = "train, validation and test that add up to 1"
        remedy = "change one of the three shares, such as train: 0.7, validation: 0.15, test: 0.15"
        yield Finding(path=("data", "split"), message=message, allowed=allowed, remedy=remedy)


DATA_RULES: Final[tuple[Callable[[ModelSettings], Iterator[Finding]], ...]] = (
    check_label,
    check_features,
    check_columns,
    check_split,
)
