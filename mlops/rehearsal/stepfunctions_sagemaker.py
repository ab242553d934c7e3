"""The SageMaker integration of Step Functions, with `.sync`.

Gap of moto that is closed here: it knows the service by name only.
This module subclasses moto's classes: it is imported by `stepfunctions.install`, not before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition

from mlops.rehearsal import sagemaker_requests
from mlops.rehearsal.stepfunctions_clients import as_json, client_for
from mlops.rehearsal.stepfunctions_jobs import Ended, JobTask

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
    "createTransformJob": Waiting(
        "describe_transform_job",
        "stop_transform_job",
        "TransformJobName",
        "TransformJobStatus",
        "StepFunctionsGetEventsForSageMakerTransformJobsRule",
    ),
}
_GOOD, _BAD = {"Completed", "Stopped"}, {"Failed"}


class SageMakerTask(JobTask):
    """A Task with a resource arn:aws:states:::sagemaker:<api>, or with .sync behind it."""

    service = "sagemaker"

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

    def key_of(self, parameters: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """Return the name of the job."""
        del answer
        name = self._waiting.name
        return {name: parameters[name]}

    def ended(self, client: Any, key: dict[str, Any]) -> Ended | None:
        """Describe the job."""
        described = getattr(client, self._waiting.describe)(**key)
        described.pop("ResponseMetadata", None)
        status = described[self._waiting.status]
        if status not in _GOOD | _BAD:
            return None
        return Ended(as_json(described, milliseconds=True), status in _GOOD)

    def end(self, client: Any, key: dict[str, Any]) -> None:
        """Stop the job."""
        getattr(client, self._waiting.stop)(**key)

    @property
    def _waiting(self) -> Waiting:
        return SYNC[str(self.resource.api_action)]


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
