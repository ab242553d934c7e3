"""Step Functions of the emulated account: moto's interpreter runs the definitions as they were deployed.

Gaps of moto that are closed here: executions are not run unless that is switched on, tasks call with a fixed key, an
execution without a name is called "None", times in a result make DescribeExecution fail, States.ALL catches what it
must not, an error of Step Functions itself breaks the Map, Parallel or Fail state that hands it on, a Map state that
has failed leaves its other iterations running, StopExecution loses its reason, the ways in which services write their
names are not restored, errors of aws-sdk integrations have the wrong service name, and no event is sent.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from typing import Any

from mlops.rehearsal import stepfunctions_clients, stepfunctions_clock, stepfunctions_observed
from mlops.rehearsal.sagemaker_api import patch

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    ("the waiting times between retries of state machines", "half a second at most; Wait states wait on the clock"),
    ("JSONata and variables of state machines", "the interpreter has no evaluator for them; the execution fails"),
    ("logs of state machines in CloudWatch", "the logging configuration is kept; the history of an execution is there"),
    ("the managed rules by which .sync learns of a job's end", "the job is asked every tenth of a second instead"),
)
RETRY_SECONDS = 0.5
_SYNC_SECONDS = 0.1
_UNCATCHABLE = frozenset({"States.Runtime", "States.DataLimitExceeded"})
_WILDCARDS = frozenset({"States.ALL", "States.TaskFailed"})


class _Pace:
    """The module `time` for moto's retrier: it sleeps, but never longer than a rehearsal can wait."""

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, RETRY_SECONDS))


def install() -> None:
    """Put the repairs into moto."""
    from moto.core.config import default_user_config  # noqa: PLC0415 - moto is imported when the server is there
    from moto.stepfunctions import models  # noqa: PLC0415 - as above
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends  # noqa: PLC0415 - as above

    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    patch(models, stepfunctions_backends=stepfunctions_parser_backends)
    logger = logging.getLogger("moto.stepfunctions")
    logger.addHandler(logging.NullHandler())  # every failed state is logged as an error there
    logger.propagate = False
    _patch_pace()
    stepfunctions_clock.install()
    _patch_errors()
    _patch_iterations()
    from mlops.rehearsal import stepfunctions_services  # noqa: PLC0415 - it subclasses moto's classes

    stepfunctions_services.install()
    _patch_executions()
    stepfunctions_observed.install()


def reset() -> None:
    """Forget what an earlier emulated AWS had."""
    stepfunctions_clients.forget()
    stepfunctions_observed.begin()


def shutdown() -> None:
    """End every execution without a trace."""
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends  # noqa: PLC0415 - it is loaded by then

    stepfunctions_observed.end()
    for backends in list(stepfunctions_parser_backends.values()):
        for backend in list(backends.values()):
            for machine in list(backend.state_machines):
                for execution in list[Any](machine.executions):
                    environment = execution.exec_worker.env if execution.exec_worker else None
                    if environment is not None and execution.status == "RUNNING":
                        environment.set_stop(stop_date=None, cause="the rehearsal ended", error="Rehearsal.Ended")


def _patch_pace() -> None:
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl  # noqa: PLC0415 - moto
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (  # noqa: PLC0415 - moto
        state_task_service_callback,
    )

    patch(retrier_decl, time=_Pace)
    patch(state_task_service_callback, _DELAY_SECONDS_SYNC_CONDITION_CHECK=_SYNC_SECONDS)


def _patch_errors() -> None:
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (  # noqa: PLC0415 - moto
        CustomErrorName,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (  # noqa: PLC0415 - moto
        ErrorEqualsDecl,
    )

    evaluate_in_moto = ErrorEqualsDecl._eval_body  # noqa: SLF001 - the hook

    def evaluate(self: Any, env: Any) -> None:
        # A defect of the definition itself is never retried or caught by a wildcard.
        error = env.stack[-1].error_name
        named = {name.error_name for name in self.error_names}
        if error in _UNCATCHABLE and error not in named and named & _WILDCARDS:
            env.stack.pop()
            env.stack.append(False)
            return
        evaluate_in_moto(self, env)

    def name_error(self: Any, error_name: str | None) -> None:
        # Map and Parallel hand on the error of an iteration as it is, and Fail takes what a Catch has kept.
        self.error_name = error_name

    patch(ErrorEqualsDecl, _eval_body=evaluate)
    patch(CustomErrorName, __init__=name_error)


def _patch_iterations() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.inline_iteration_component import (  # noqa: PLC0415 - moto
        InlineIterationComponent,
    )

    evaluate_in_moto: Any = InlineIterationComponent._eval_body  # noqa: SLF001 - the hook

    def evaluate(self: Any, env: Any) -> None:
        try:
            evaluate_in_moto(self, env)
        except Exception:
            for frame in list(env._frames):  # noqa: SLF001 - moto has no other way to the iterations
                frame.set_stop(stop_date=None, cause="another iteration failed", error=None)
            raise

    patch(InlineIterationComponent, _eval_body=evaluate)


def _patch_executions() -> None:
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend  # noqa: PLC0415 - moto
    from moto.stepfunctions.responses import StepFunctionResponse  # noqa: PLC0415 - moto

    start_in_moto = StepFunctionsParserBackend.start_execution

    def start_execution(
        self: Any, state_machine_arn: str, name: str | None = None, execution_input: str | None = None, **others: Any
    ) -> Any:
        if name is not None:
            self._validate_name(name)
        with _starting:  # two starts with one name make one execution
            execution = start_in_moto(
                self, state_machine_arn, name or str(uuid.uuid4()), execution_input or "{}", **others
            )
        stepfunctions_observed.status_changed(execution)
        return execution

    def describe_execution(self: Any) -> Any:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        return ActionResult(stepfunctions_observed.description(execution))

    def stop_execution(self: Any) -> Any:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        stopped = stepfunctions_observed.stop(execution, error=self._get_param("error"), cause=self._get_param("cause"))
        return ActionResult({"stopDate": stopped})

    patch(StepFunctionsParserBackend, start_execution=start_execution)
    patch(StepFunctionResponse, describe_execution=describe_execution, stop_execution=stop_execution)


_starting = threading.Lock()
