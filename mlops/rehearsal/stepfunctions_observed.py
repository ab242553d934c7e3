"""What an execution tells while it runs: states for the timeline, its status for EventBridge, its description."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal.sagemaker_api import patch
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

_ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
_START_SECONDS = 5.0


class _Listening:
    """Whether anybody listens: not any more when the emulated AWS ends."""

    def __init__(self) -> None:
        self.on = True


_listening = _Listening()


def begin() -> None:
    """Tell what happens from now on."""
    _listening.on = True


def end() -> None:
    """Tell nothing any more."""
    _listening.on = False


def install() -> None:
    """Listen to moto's interpreter."""
    from moto.stepfunctions.parser.asl.component.state.exec.execute_state import (  # noqa: PLC0415 - moto
        ExecutionState,
    )
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField  # noqa: PLC0415 - moto
    from moto.stepfunctions.parser.backend.execution import (  # noqa: PLC0415 - moto
        BaseExecutionWorkerCommunication,
    )

    evaluate_in_moto = CommonStateField._eval_body  # noqa: SLF001 - the hook
    catch_in_moto = ExecutionState._handle_catch  # noqa: SLF001 - the hook
    end_in_moto = BaseExecutionWorkerCommunication.terminated

    def evaluate(self: Any, env: Any) -> None:
        _tell(self, env, Phase.STARTED)
        try:
            evaluate_in_moto(self, env)
        except Exception as error:
            _tell(self, env, Phase.FAILED, **_error_of(error))
            raise
        caught = env.__dict__.pop("_rehearsal_caught", None)
        if caught is not None:
            _tell(self, env, Phase.FAILED, caught=True, **caught)
        elif _stopped(env):
            _tell(self, env, Phase.FAILED, error="Aborted", cause="the execution was stopped")
        else:
            _tell(self, env, Phase.SUCCEEDED)

    def handle_catch(self: Any, env: Any, failure_event: Any) -> None:
        catch_in_moto(self, env, failure_event)
        if getattr(env.stack[-1], "name", "") == "Caught":
            env._rehearsal_caught = _details_of(failure_event)  # noqa: SLF001 - our own mark on moto's object

    def terminated(self: Any) -> None:
        end_in_moto(self)
        status_changed(self.execution)

    patch(CommonStateField, _eval_body=evaluate)
    patch(ExecutionState, _handle_catch=handle_catch)
    patch(BaseExecutionWorkerCommunication, terminated=terminated)


def status_changed(execution: Any) -> None:
    """Send the event that Step Functions sends when the status of an execution changes."""
    if not _listening.on:
        return
    described = description(execution)
    detail = {
        name: int(value.timestamp() * 1000) if isinstance(value, datetime) else value
        for name, value in described.items()
    }
    detail = {"stopDate": None, "output": None, "error": None, "cause": None, **detail}
    kind = "Step Functions Execution Status Change"
    try:
        from mlops.rehearsal import events  # noqa: PLC0415 - it imports moto

        account, region = execution.account_id, execution.region_name
        events.emit("aws.states", kind, detail, (execution.exec_arn,), account=account, region=region)
    except Exception as error:  # noqa: BLE001 - an execution does not end because a rule's target is broken
        TIMELINE.emit(Kind.EVENT, kind, Phase.FAILED, error=f"{type(error).__name__}: {error}")


def description(execution: Any) -> dict[str, Any]:
    """Answer DescribeExecution."""
    status = str(execution.status)
    described = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine.arn,
        "name": execution.name,
        "status": status,
        "startDate": execution.start_date,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
    }
    optional = {
        "stopDate": execution.stop_date if status in _ENDED else None,
        "output": json.dumps(execution.output) if status == "SUCCEEDED" else None,
        "outputDetails": {"included": True} if status == "SUCCEEDED" else None,
        "error": execution.error,
        "cause": execution.cause,
    }
    return {**described, **{name: value for name, value in optional.items() if value is not None}}


def stop(execution: Any, *, error: str | None, cause: str | None) -> datetime:
    """Stop a running execution at once, as StopExecution does; return when it stopped."""
    if execution.status != "RUNNING":
        return _moment(execution.stop_date)
    deadline = time.monotonic() + _START_SECONDS
    while execution.exec_worker.env is None and time.monotonic() < deadline:
        time.sleep(0.01)  # its thread has not begun yet
    moment = datetime.now(UTC)
    execution.error, execution.cause = error, cause
    execution.exec_worker.stop(stop_date=moment, error=error, cause=cause)
    execution.stop_date = moment
    from moto.stepfunctions.parser.api import ExecutionStatus  # noqa: PLC0415 - moto is there by now

    execution.exec_status = ExecutionStatus.ABORTED
    return moment


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.now(UTC)


def _stopped(env: Any) -> bool:
    return type(env.program_state()).__name__ in {"ProgramStopped", "ProgramTimedOut"}


def _tell(state: Any, env: Any, phase: Phase, **detail: Any) -> None:
    if not _listening.on:
        return
    context = env.states.context_object.context_object_data
    TIMELINE.emit(
        Kind.STATE,
        state.name,
        phase,
        machine=context["StateMachine"]["Name"],
        execution=context["Execution"]["Name"],
        type=type(state).__name__.removeprefix("State"),
        **detail,
    )


def _error_of(error: Exception) -> dict[str, Any]:
    failure = getattr(error, "failure_event", None)
    if failure is None:
        return {"error": "States.Runtime", "cause": f"{type(error).__name__}: {error}"}
    return _details_of(failure)


def _details_of(failure: Any) -> dict[str, Any]:
    details: dict[str, Any] = next(iter((failure.event_details or {}).values()), {})
    return {"error": details.get("error"), "cause": details.get("cause")}
