"""Step Functions as the logic needs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STARTED_BEFORE = "ExecutionAlreadyExists"


class StateMachine:
    """One state machine, whose executions are named."""

    def __init__(self, stepfunctions: Any, *, arn: str) -> None:
        """Use the client `stepfunctions` for the machine `arn`."""
        self._stepfunctions, self._arn = stepfunctions, arn

    def start(self, name: str, document: Mapping[str, Any]) -> str | None:
        """Start the execution `name` and return its ARN, or None when there was one of this name."""
        try:
            started = self._stepfunctions.start_execution(
                stateMachineArn=self._arn, name=name, input=json.dumps(document, sort_keys=True)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == _STARTED_BEFORE:
                return None
            raise
        return str(started["executionArn"])
