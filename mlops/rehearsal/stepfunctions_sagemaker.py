"""The SageMaker integration of Step Functions, with `.sync`.

Gap of moto that is closed here: it knows the service by name only, and its `.sync` fails for services without tokens.
This module subclasses moto's classes: it is imported by `stepfunctions.install`, not before.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)

from mlops.rehearsal import sagemaker_requests
from mlops.rehearsal.stepfunctions_clients import as_json, client_for

MANAGED_TAG = {"Key": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """How `.sync` waits for what an API made."""

    describe: str
    stop: str
    name: str
    status: str
    rule: str
    """The rule of EventBridge by which Step Functions learns of the end on AWS."""


SYNC = {
    "createTrainingJob": Waiting(
        "describe_training_job",
        "stop_training_job",
        "TrainingJobName",
        "TrainingJobStatus",
        "StepFunctionsGetEventsForSageMakerTrainingJobsRule",
    ),
    "createProcessingJob": Waiting(
        "describe_processing_job",
        "stop_processing_job",
        "ProcessingJobName",
        "ProcessingJobStatus",
        "StepFunctionsGetEventsForSageMakerProcessingJobsRule",
    ),
}
_GOOD, _BAD = {"Completed", "Stopped"}, {"Failed"}


class SageMakerTask(StateTaskServiceCallback):
    """A Task with a resource arn:aws:states:::sagemaker:<api>, or with .sync behind it."""

    def __init__(self) -> None:
        """Declare the patterns; moto fails on .sync without WaitForTaskToken."""
        patterns: Any = {ResourceCondition.Sync, ResourceCondition.WaitForTaskToken}
        super().__init__(supported_integration_patterns=patterns)

    def _validate_service_integration_is_supported(self) -> None:
        action = str(self.resource.api_action)
        operations = sagemaker_requests.service_model().operation_names
        known = action[0].upper() + action[1:] in operations
        condition = self.resource.condition
        if not known or condition == ResourceCondition.WaitForTaskToken or (condition and action not in SYNC):
            message = f"The resource provided {self.resource.resource_arn} is not represented by the rehearsal."
            raise ValueError(message)

    def _from_error(self, env: Any, ex: Exception) -> Any:
        if not isinstance(ex, ClientError):
            return super()._from_error(env=env, ex=_readable(ex))
        name, cause = client_error(ex)
        return self._failure(env, CustomErrorName(name), cause)

    def _eval_service_task(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> None:
        client = client_for(resource_runtime_part.region, "sagemaker", state_credentials)
        parameters = dict(normalised_parameters)
        if self.resource.condition == ResourceCondition.Sync:
            parameters["Tags"] = [*(parameters.get("Tags") or []), MANAGED_TAG]
        answer = getattr(client, self._get_boto_service_action())(**parameters)
        metadata = answer.pop("ResponseMetadata", {})
        headers = {"SdkHttpMetadata": {"HttpStatusCode": metadata.get("HTTPStatusCode", 200)}}
        env.stack.append({**as_json(answer, milliseconds=True), **headers})

    def _build_sync_resolver(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> Callable[[], Any]:
        env.stack.pop()
        waiting = SYNC[str(self.resource.api_action)]
        client = client_for(resource_runtime_part.region, "sagemaker", state_credentials)
        name = {waiting.name: normalised_parameters[waiting.name]}

        def resolve() -> Any:
            answer = getattr(client, waiting.describe)(**name)
            answer.pop("ResponseMetadata", None)
            status = answer[waiting.status]
            if status not in _GOOD | _BAD:
                return None
            described = as_json(answer, milliseconds=True)
            if status in _BAD:
                failed = StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed)
                raise FailureEventException(self._failure(env, failed, json.dumps(described)))
            return described

        return resolve

    def _after_eval_execution(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> None:
        try:
            super()._after_eval_execution(env, resource_runtime_part, normalised_parameters, state_credentials)
        finally:
            waiting = SYNC.get(str(self.resource.api_action))
            if self.resource.condition == ResourceCondition.Sync and waiting and not env.is_running():
                # The execution was stopped, or the task ran out of time: Step Functions stops the job.
                client = client_for(resource_runtime_part.region, "sagemaker", state_credentials)
                with contextlib.suppress(ClientError):
                    getattr(client, waiting.stop)(**{waiting.name: normalised_parameters[waiting.name]})

    def _failure(self, env: Any, error: Any, cause: str) -> Any:
        details: dict[str, Any] = {
            "taskFailedEventDetails": {
                "error": error.error_name,
                "cause": cause,
                "resource": self._get_sfn_resource(),
                "resourceType": self._get_sfn_resource_type(),
            }
        }
        event: Any = FailureEvent
        return event(env=env, error_name=error, event_type=HistoryEventType.TaskFailed, event_details=details)


def client_error(error: ClientError) -> tuple[str, str]:
    """Return error name and cause as Step Functions writes them for this integration.

    It uses the AWS SDK for Java 1: errors that the API's model names have a class of their own, all others, throttling
    and refused permissions among them, are an AmazonSageMakerException whose text holds the code.
    """
    code = str(error.response["Error"]["Code"])
    modelled = {
        shape.name
        for name in sagemaker_requests.service_model().operation_names
        for shape in sagemaker_requests.service_model().operation_model(name).error_shapes
        if name == error.operation_name
    }
    name = f"{code.removesuffix('Exception')}Exception" if code in modelled else "AmazonSageMakerException"
    metadata = error.response.get("ResponseMetadata", {})
    details = "; ".join(
        [
            "Service: AmazonSageMaker",
            f"Status Code: {metadata.get('HTTPStatusCode', 400)}",
            f"Error Code: {code}",
            f"Request ID: {metadata.get('RequestId', 'unknown')}",
            "Proxy: null",
        ]
    )
    return f"SageMaker.{name}", f"{error.response['Error'].get('Message', '')} ({details})"


def _readable(error: Exception) -> Exception:
    if isinstance(error, ParamValidationError):
        return ValueError(f"The Parameters could not be used to start the Task: [{error}]")
    return error
