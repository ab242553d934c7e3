"""A model at stage manual: what its file has to say before there is a pipeline.

The file needs a name and the data. Sections for later stages may stand there already and are checked like any others;
those that are missing are not missed before the model moves up.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field

from mlops_constructs.settings.data import Data, Task, task_of
from mlops_constructs.settings.model import ModelSettings, Stage
from mlops_constructs.settings.section import ModelName, Section

if TYPE_CHECKING:
    from collections.abc import Mapping


class ManualModel(Section):
    """One model that somebody trains and deploys by hand, in a notebook."""

    name: ModelName
    """The name of the model: the name of its file."""
    stage: Literal["manual"]
    """The adoption stage."""
    description: Annotated[str, Field(max_length=500)] = ""
    """What the model is for, in a sentence."""
    data: Data
    """What the model learns from."""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Take what concerns this stage from the content of a file that satisfies every rule."""
        concerned = {name: content[name] for name in cls.model_fields if name in content}
        return cls.model_validate_json(json.dumps(concerned), strict=True)

    @property
    def task(self) -> Task:
        """What the model predicts."""
        return task_of(self.data)


LATER: Final = frozenset(
    name
    for name, field in ModelSettings.model_fields.items()
    if field.is_required() and name not in ManualModel.model_fields
)
"""The sections that every later stage needs and this one does not."""


def is_manual(content: object) -> bool:
    """Tell whether the content of a file is that of a model at stage manual."""
    return isinstance(content, dict) and content.get("stage") == Stage.MANUAL
