"""State machines on the emulated clock: how long a Wait state waits, and the times in the context object.

A definition that hands `$$.State.EnteredTime` to its programs thereby tells them emulated time; their own clocks are
real. What DescribeExecution and the history show is real, too.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from mlops.rehearsal.clock import CLOCK
from mlops.rehearsal.sagemaker_api import patch


class _Moment(dt.datetime):
    """A time that is written as the context object has it: 2026-11-23T20:14:13.192Z."""

    def isoformat(self, *_: Any, **__: Any) -> str:
        return f"{self:%Y-%m-%dT%H:%M:%S}.{self.microsecond // 1000:03}Z"

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> _Moment:
        """Return the emulated time; without a zone it is UTC, as is what moto compares it with."""
        return cls.fromtimestamp(CLOCK.timestamp(), dt.UTC).replace(tzinfo=tz)


class _Datetime:
    """The module `datetime` for moto's states."""

    datetime = _Moment
    timezone = dt.timezone


def install() -> None:
    """Put the emulated clock into moto's interpreter."""
    from moto.stepfunctions.parser.asl.component.state import state  # noqa: PLC0415 - moto is imported late
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function import timestamp  # noqa: PLC0415 - as above
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (  # noqa: PLC0415 - as above
        WaitFunction,
    )
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker  # noqa: PLC0415 - as above

    environment_in_moto: Any = ExecutionWorker._get_evaluation_environment  # noqa: SLF001 - the hook

    def wait_interval(_self: Any, env: Any, wait_seconds: float) -> None:
        # Whatever changes the state of an execution wakes everything that waits in it.
        end = CLOCK.seconds() + wait_seconds
        while env.is_running() and (left := end - CLOCK.seconds()) > 0:
            env.program_state_event.wait(left / CLOCK.scale)

    def environment(self: Any) -> Any:
        made = environment_in_moto(self)
        made.states.context_object.context_object_data["Execution"]["StartTime"] = _Moment.now().isoformat()
        return made

    patch(WaitFunction, _wait_interval=wait_interval)
    patch(ExecutionWorker, _get_evaluation_environment=environment)
    patch(state, datetime=_Datetime)
    patch(timestamp, datetime=_Datetime)
