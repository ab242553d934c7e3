"""What a model learns from: the sections `source` and `data` of a model file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from mlops_constructs.settings.section import (
    Branch,
    Category,
    ColumnName,
    ConnectionArn,
    CsvKey,
    Repository,
    Section,
    UnknownSettingError,
    ZipKey,
)

_TWO = 2  # the classes of a binary model


class S3Source(Section):
    """Code as a zip file in the data bucket."""

    type: Literal["s3"]
    """A zip file in the data bucket."""
    key: ZipKey
    """The key of the zip file in the data bucket."""


class CodeConnectionsSource(Section):
    """Code in a repository of GitHub, GitLab or Bitbucket."""

    type: Literal["codeconnections"]
    """A repository behind an AWS CodeConnections connection."""
    connection_arn: ConnectionArn
    """The ARN of the connection."""
    repository: Repository
    """The repository: owner/name."""
    branch: Branch = "main"
    """The branch whose commits start the pipeline."""


Source: TypeAlias = Annotated[S3Source | CodeConnectionsSource, Field(discriminator="type")]


class ColumnType(StrEnum):
    """How a column is read."""

    NUMBER = "number"
    INTEGER = "integer"
    CATEGORY = "category"
    IGNORE = "ignore"


class Column(Section):
    """One column of the data."""

    type: ColumnType
    """How the column is read; ignore keeps it out of training."""
    minimum: float | None = None
    """The smallest value (number, integer)."""
    maximum: float | None = None
    """The largest value (number, integer)."""
    categories: Annotated[tuple[Category, ...], Field(max_length=1000)] = ()
    """The words of a category; of a label with two, first the negative one, then the positive one."""
    missing: bool = False
    """Whether the value may be blank."""


class Split(Section):
    """How the rows are divided, at random but the same way every time."""

    train: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """The share of rows that the model learns from."""
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """The share of rows that early stopping watches."""
    test: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """The share of rows that the gates measure with."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Which of the possible divisions."""


class Data(Section):
    """The data set."""

    format: Literal["csv"] = "csv"
    """Comma-separated values with a header line."""
    key: CsvKey
    """The key of the file in the data bucket; an upload starts the pipeline."""
    label: ColumnName
    """The column that is predicted."""
    columns: Annotated[dict[ColumnName, Column], Field(min_length=2, max_length=2000)]
    """Every column of the file."""
    split: Split = Split()
    """How the rows are divided."""


class Task(StrEnum):
    """What a model predicts, which the label tells."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


def task_of(data: Data) -> Task:
    """Tell what a model predicts from the type of the label and its words.

    Raises:
        UnknownSettingError: The label is not known, or is a column that cannot be predicted.
    """
    label = data.columns.get(data.label)
    if label is not None and label.type in (ColumnType.NUMBER, ColumnType.INTEGER):
        return Task.REGRESSION
    if label is not None and label.type == ColumnType.CATEGORY and len(label.categories) >= _TWO:
        return Task.BINARY if len(label.categories) == _TWO else Task.MULTICLASS
    raise UnknownSettingError(data.label)
