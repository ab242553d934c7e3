"""How a model comes from the data scientists' account: the section `handover` of a model file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mlops_constructs.settings.section import Section


class Promote(StrEnum):
    """What of a candidate goes on to production."""

    MODEL = "model"
    CODE = "code"


class Handover(Section):
    """What becomes of the candidates that data scientists hand over."""

    promote: Promote
    """What goes on to production: the model that they trained, or their data, with which the pipeline trains again."""
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """By which share of itself a metric that they measured may differ from what the pipeline measures."""
