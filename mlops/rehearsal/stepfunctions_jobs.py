"""Tasks of a state machine that wait for what they start: `.sync` and `.sync:2`.

Gaps of moto that are closed here: `.sync` fails for services without tokens, a task that is stopped or runs out of time
leaves what it started running, and times in the cause of a failure are not those of Step Functions.
This module subclasses moto's classes: it is imported by `stepfunctions.install`, not before.
"""

from __future__ import annotations

import contextlib
import json
from abc import abstractmethod
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
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)

from mlops.rehearsal.stepfunctions_clients import as_json, client_for

_WAITING = {ResourceCondition.Sync, ResourceCondition.Sync2}
_BUILD_ERRORS = {"AccountLimitExceededException", "InvalidInputException", "ResourceNotFoundException"}


@dataclass(frozen=True, slots=True)
class Ended:
    """How what a task started has ended."""

    document: dict[str, Any]
    good: bool


class JobTask(StateTaskServiceCallback):
    """A task that starts something, and with `.sync` waits for its end."""

    service = ""
    """As boto3 calls it."""

    @abstractmethod
    def key_of(self, parameters: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters that name what was started."""

    @abstractmethod
    def ended(self, client: Any, key: dict[str, Any]) -> Ended | None:
        """Return how it ended, None while it runs."""

    @abstractmethod
    def end(self, client: Any, key: dict[str, Any]) -> None:
        """Stop it."""

    def _build_sync_resolver(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> Callable[[], Any]:
        key = self.key_of(normalised_parameters, env.stack.pop())
        client = client_for(resource_runtime_part.region, self.service, state_credentials)

        def resolve() -> Any:
            ended = self.ended(client, key)
            if ended is None or ended.good:
                return ended.document if ended else None
            failed = StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed)
            raise FailureEventException(self._failure(env, failed, json.dumps(ended.document)))

        return resolve

    def _build_sync2_resolver(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> Callable[[], Any]:
        return self._build_sync_resolver(env, resource_runtime_part, normalised_parameters, state_credentials)

    def _after_eval_execution(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> None:
        answer = env.stack[-1]
        try:
            super()._after_eval_execution(env, resource_runtime_part, normalised_parameters, state_credentials)
        finally:
            if self.resource.condition in _WAITING and not env.is_running():
                # The execution was stopped, or the task ran out of time: Step Functions stops what it started.
                client = client_for(resource_runtime_part.region, self.service, state_credentials)
                with contextlib.suppress(ClientError):
                    self.end(client, self.key_of(normalised_parameters, answer))

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


class NestedTask(JobTask, StateTaskServiceSfn):
    """A Task with a resource arn:aws:states:::states:startExecution, or with .sync or .sync:2 behind it."""

    service = "stepfunctions"

    def __init__(self) -> None:
        """Keep moto's patterns."""
        StateTaskServiceSfn.__init__(self)  # type: ignore[no-untyped-call]

    def key_of(self, parameters: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """Return the ARN of the execution."""
        del parameters
        return {"executionArn": answer["ExecutionArn"]}

    def ended(self, client: Any, key: dict[str, Any]) -> Ended | None:
        """Describe the execution; with .sync:2, what it takes and gives is JSON."""
        described = client.describe_execution(**key)
        if described["status"] == "RUNNING":
            return None
        described.pop("ResponseMetadata", None)
        document: dict[str, Any] = as_json(described, milliseconds=True)
        if self.resource.condition == ResourceCondition.Sync2:
            document |= {name: json.loads(document[name]) for name in ("input", "output") if document.get(name)}
        self._normalise_response(document, service_action_name="describe_execution")
        return Ended(document, described["status"] == "SUCCEEDED")

    def end(self, client: Any, key: dict[str, Any]) -> None:
        """Stop the execution."""
        client.stop_execution(**key)


class BuildTask(JobTask):
    """A Task with a resource arn:aws:states:::codebuild:startBuild, or with .sync behind it."""

    service = "codebuild"

    def __init__(self) -> None:
        """Declare the patterns; moto fails on .sync without WaitForTaskToken."""
        patterns: Any = {ResourceCondition.Sync, ResourceCondition.WaitForTaskToken}
        super().__init__(supported_integration_patterns=patterns)

    def key_of(self, parameters: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """Return the id of the build."""
        del parameters
        return {"id": answer["Build"]["Id"]}

    def ended(self, client: Any, key: dict[str, Any]) -> Ended | None:
        """Describe the build."""
        [build] = client.batch_get_builds(ids=[key["id"]])["builds"]
        if build["buildStatus"] == "IN_PROGRESS":
            return None
        document: dict[str, Any] = as_json({"builds": [build]}, milliseconds=True)
        self._normalise_response(document, service_action_name="batch_get_builds")
        return Ended({"Build": document["Builds"][0]}, build["buildStatus"] == "SUCCEEDED")

    def end(self, client: Any, key: dict[str, Any]) -> None:
        """Stop the build."""
        client.stop_build(**key)

    def _validate_service_integration_is_supported(self) -> None:
        known = self.resource.api_action == "startBuild"
        if not known or self.resource.condition not in {None, ResourceCondition.Sync}:
            message = f"The resource provided {self.resource.resource_arn} is not represented by the rehearsal."
            raise ValueError(message)

    def _from_error(self, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ParamValidationError):
            ex = ValueError(f"The Parameters could not be used to start the Task: [{ex}]")
        if not isinstance(ex, ClientError):
            return super()._from_error(env=env, ex=ex)
        code = str(ex.response["Error"]["Code"])
        name = code if code in _BUILD_ERRORS else "AWSCodeBuildException"
        metadata = ex.response.get("ResponseMetadata", {})
        details = "; ".join(
            [
                "Service: AWSCodeBuild",
                f"Status Code: {metadata.get('HTTPStatusCode', 400)}",
                f"Error Code: {code}",
                f"Request ID: {metadata.get('RequestId', 'unknown')}",
                "Proxy: null",
            ]
        )
        cause = f"{ex.response['Error'].get('Message', '')} ({details})"
        return self._failure(env, CustomErrorName(f"CodeBuild.{name}"), cause)

    def _eval_service_task(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> None:
        client = client_for(resource_runtime_part.region, self.service, state_credentials)
        answer = client.start_build(**normalised_parameters)
        answer.pop("ResponseMetadata", None)
        env.stack.append(as_json(answer, milliseconds=True))
