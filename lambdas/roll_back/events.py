"""What the function is told of: a version that was rejected, and a stage that has ended."""

from __future__ import annotations

import json
import os
from typing import Literal

from pydantic import Field

from lambdas.roll_back.logic import Stage, Stages
from lambdas.shared.errors import EventError
from lambdas.shared.events import Document, Text, read


class _Detail(Document):
    stage: Text | None = None
    """Of an event of the pipeline; an event of the registry has none and concerns every stage."""


class Trigger(Document):
    """An event of the registry or of the pipeline."""

    detail_type: Literal["SageMaker Model Package State Change", "CodePipeline Stage Execution State Change"] = Field(
        alias="detail-type"
    )
    detail: _Detail


def stages(trigger: Trigger) -> list[Stage]:
    """Return the stages that deploy and that the event concerns.

    Raises:
        EventError: the environment variable STAGES is not what the stack makes of it.
    """
    try:
        listed = json.loads(os.environ["STAGES"])
    except ValueError as error:
        msg = f"the environment variable STAGES is not JSON: {error}"
        raise EventError(msg) from error
    known = read(Stages, {"stages": listed}, what="the environment variable STAGES").stages
    return [stage for stage in known if trigger.detail.stage in {None, stage.name}]
