"""How tasks of a state machine reach services: the repairs to moto's integrations.

This module imports moto's interpreter: it is imported by `stepfunctions.install`, not before.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from jsonpath_ng.ext.parser import parse
from moto.core.exceptions import ServiceException
from moto.core.utils import get_service_model
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.parser.utils import camel_to_snake_case

from mlops.rehearsal import iam
from mlops.rehearsal.credentials import service_role_credentials
from mlops.rehearsal.iam_roles import TrustError
from mlops.rehearsal.sagemaker_api import patch
from mlops.rehearsal.stepfunctions_clients import PRINCIPAL, as_json, client_for, java_service_name
from mlops.rehearsal.stepfunctions_jobs import BuildTask, NestedTask
from mlops.rehearsal.stepfunctions_sagemaker import SYNC, SageMakerTask

_DEFINITE = re.compile(r"\$(?:\.[\w-]+|\['[^']*'\]|\[\d+\])*")
"""A path that leads to one value at most; moto makes a list of the value behind an index, as in $.Stacks[0].Name."""
_LAMBDA_ERRORS = ("ClientError", "SdkClientException")
_MANAGED_RULES = {
    **{f"sagemaker:{action}.sync": waiting.rule for action, waiting in SYNC.items()},
    "states:startExecution.sync": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
    "codebuild:startBuild.sync": "StepFunctionsGetEventForCodeBuildStartBuildRule",
}
"""The rules of EventBridge by which Step Functions learns on AWS that what a task started has ended."""
_RULE_ACTIONS = ("events:PutTargets", "events:PutRule", "events:DescribeRule")


class AccessDeniedException(ServiceException):
    """CreateStateMachine or UpdateStateMachine is refused."""

    code = "AccessDeniedException"


class InvalidDefinition(ServiceException):
    """A definition is not in the Amazon States Language."""

    code = "InvalidDefinition"


def install() -> None:
    """Put the repairs into moto."""
    from moto.core import errors  # noqa: PLC0415 - with the other patches

    if AccessDeniedException.code not in errors.COMMON_ERROR_CODES:
        errors.COMMON_ERROR_CODES.append(AccessDeniedException.code)
    _patch_factories()
    _patch_casing()
    _patch_aws_sdk()
    _patch_lambda()
    _patch_roles()


def _patch_factories() -> None:
    choose_in_moto = state_task_service_factory.state_task_service_for

    def choose(service_name: str) -> Any:
        match service_name:
            case "sagemaker":
                return SageMakerTask()
            case "states":
                return NestedTask()
            case "codebuild":
                return BuildTask()
        return choose_in_moto(service_name)

    find = _found_by(json_path.extract_json)
    # These functions were imported by value into many modules.
    replaced = {"state_task_service_for": choose, "boto_client_for": client_for, "extract_json": find}
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser"):
            patch(module, **{known: own for known, own in replaced.items() if hasattr(module, known)})


def _found_by(find_in_moto: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    def find(path: str, data: Any) -> Any:
        if "[" not in path or not _DEFINITE.fullmatch(path):
            return find_in_moto(path, data)
        matches = parse(path).find(data)
        if not matches:
            raise json_path.NoSuchJsonPathError(json_path=path, data=data)
        return matches[0].value

    return find


def _patch_casing() -> None:
    def shapes(task: Any, service: str | None, action: str | None) -> Any:
        model = get_service_model(task._get_boto_service_name(service))  # noqa: SLF001 - moto's own naming rules
        operations = {camel_to_snake_case(name): name for name in model.operation_names}
        name = operations.get(task._get_boto_service_action(action))  # noqa: SLF001 - as above
        return model.operation_model(name) if name else None

    def normalise_parameters(
        self: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        operation = shapes(self, boto_service_name, service_action_name)
        if operation is not None and operation.input_shape is not None and _camel(operation.input_shape):
            self._to_boto_request(parameters, operation.input_shape)

    def normalise_response(
        self: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        operation = shapes(self, boto_service_name, service_action_name)
        if operation is not None and operation.output_shape is not None and _camel(operation.output_shape):
            self._from_boto_response(response, operation.output_shape)

    evaluate_in_moto = StateTaskService._eval_execution  # noqa: SLF001 - the hook

    def evaluate(self: Any, env: Any) -> None:
        evaluate_in_moto(self, env)
        env.stack.append(as_json(env.stack.pop()))

    patch(
        StateTaskService,
        _normalise_parameters=normalise_parameters,
        _normalise_response=normalise_response,
        _eval_execution=evaluate,
    )


def _camel(shape: Any) -> bool:
    """Whether the API writes its members in camel case; definitions always write them in Pascal case."""
    return any(name[0].islower() for name in shape.members)


def _patch_aws_sdk() -> None:
    call_in_moto = StateTaskServiceAwsSdk._eval_service_task  # noqa: SLF001 - the hook

    def normalise_service_error_name(service_name: str) -> str:
        return java_service_name({"sfn": "stepfunctions"}.get(service_name.lower(), service_name.lower()))

    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            call_in_moto(self, *args, **kwargs)
        except ParamValidationError as error:
            message = f"The Parameters could not be used to start the Task: [{error}]"
            raise ValueError(message) from error

    patch(
        StateTaskServiceAwsSdk,
        _normalise_service_error_name=staticmethod(normalise_service_error_name),
        _eval_service_task=call,
    )


def _patch_lambda() -> None:
    from_error_in_moto = StateTaskServiceLambda._from_error  # noqa: SLF001 - the hook

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        event: Any = from_error_in_moto(self, env, ex)
        details = (event.event_details or {}).get("taskFailedEventDetails")
        if event.event_type != HistoryEventType.TaskFailed or details is None:
            return event
        name = details["error"]
        if isinstance(ex, lambda_eval_utils.LambdaFunctionErrorException):
            name = _function_error(ex.payload)
        elif isinstance(ex, ClientError):
            name = f"Lambda.{_lambda_error(ex)}"
        details["error"] = name
        event.error_name = CustomErrorName(name) if not str(name).startswith("States.") else event.error_name
        return event

    patch(StateTaskServiceLambda, _from_error=from_error)


def _function_error(payload: str) -> str:
    try:
        return str(json.loads(payload)["errorType"])
    except (ValueError, KeyError, TypeError):
        return "Lambda.Unknown"


def _lambda_error(error: ClientError) -> str:
    model = get_service_model("lambda").operation_model("Invoke")
    code = str(error.response["Error"]["Code"])
    return code if code in {shape.name for shape in model.error_shapes} else "AWSLambdaException"


def _patch_roles() -> None:
    create_in_moto = StepFunctionsParserBackend.create_state_machine
    update_in_moto: Any = StepFunctionsParserBackend.update_state_machine
    validate_in_moto = StepFunctionsParserBackend._validate_definition  # noqa: SLF001 - the hook

    def create_state_machine(self: Any, name: str, definition: str, roleArn: str, *args: Any, **kwargs: Any) -> Any:  # noqa: N803 - moto's name
        _check_role(self, definition, roleArn)
        return create_in_moto(self, name, definition, roleArn, *args, **kwargs)

    def update_state_machine(
        self: Any, arn: str, definition: str | None = None, role_arn: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        machine = self.describe_state_machine(arn)
        _check_role(self, definition or machine.definition, role_arn or machine.roleArn)
        return update_in_moto(self, arn, definition, role_arn, *args, **kwargs)

    def validate_definition(definition: str) -> None:
        try:
            validate_in_moto(definition=definition)
        except Exception as error:  # the interpreter's own exception has no code
            message = f"Invalid State Machine Definition: '{getattr(error, 'message', None) or error}'"
            raise InvalidDefinition(message) from error

    patch(
        StepFunctionsParserBackend,
        _validate_definition=staticmethod(validate_definition),
        create_state_machine=create_state_machine,
        update_state_machine=update_state_machine,
    )


def _check_role(backend: Any, definition: str, role_arn: str) -> None:
    try:
        service_role_credentials(role_arn, PRINCIPAL, session_name="StepFunctions")
    except TrustError as error:
        message = (
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume "
            f"the provided role. ({error})"
        )
        raise AccessDeniedException(message) from error
    for resource, name in _MANAGED_RULES.items():
        if f":::{resource}" not in definition:
            continue
        rule = f"arn:aws:events:{backend.region_name}:{backend.account_id}:rule/{name}"
        for needed in _RULE_ACTIONS:
            if not iam.check(role_arn, needed, rule, region=backend.region_name).allowed:
                message = f"'{role_arn}' is not authorized to create managed-rule. ({needed} on {rule})"
                raise AccessDeniedException(message)
