"""The account of the pipeline, with the credentials that the person's own shell has, as every AWS tool uses them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from mlops.rollback.plan import Deployment, Place, Version, parameters

OUTCOME_ACTION, LAST_ACTION = "Outcome", "Verify"
"""The action whose variable ModelPackageArn names what an execution brings; the last one of a stage that deploys."""
PACKAGE = "ModelPackageArn"
_SUCCEEDED = "Succeeded"


class AccountError(Exception):
    """AWS refused, or holds something unexpected; the text is for the person."""


class Account:
    """Where the pipeline of one model is, and maybe its endpoint."""

    def __init__(self, place: Place) -> None:
        """Use the shell's own credentials in the region of `place`."""
        self._place = place
        self._session = boto3.Session(region_name=place.region)
        self._clients: dict[str, Any] = {}

    def caller(self) -> tuple[str, str]:
        """Return the account and the ARN of the person."""
        answer = self._ask("sts", "get_caller_identity")
        return str(answer["Account"]), str(answer["Arn"])

    def versions(self) -> dict[int, Version]:
        """Return the registered versions of the model by number."""
        found: dict[int, Version] = {}
        request = {"ModelPackageGroupName": self._place.group, "ModelPackageType": "Versioned"}
        for summary in self._all("sagemaker", "list_model_packages", "ModelPackageSummaryList", **request):
            package = self._ask("sagemaker", "describe_model_package", ModelPackageName=summary[PACKAGE])
            containers = package.get("InferenceSpecification", {}).get("Containers", [{}])
            number = int(package["ModelPackageVersion"])
            found[number] = Version(
                number=number,
                arn=package[PACKAGE],
                status=package.get("ModelApprovalStatus", ""),
                image=containers[0].get("Image", ""),
                data_url=containers[0].get("ModelDataUrl", ""),
            )
        return found

    def stack(self) -> dict[str, Any]:
        """Return the serving stack of the environment, which is in this account."""
        found: dict[str, Any] = self._ask("cloudformation", "describe_stacks", StackName=self._place.stack)["Stacks"][0]
        return found

    def serving(self, deployments: list[Deployment]) -> int | None:
        """Return the version that serves: what the stack says, or, where it is elsewhere, the history."""
        if self._place.stack is None:
            return deployments[0].version if deployments else None
        given = {one["ParameterKey"]: one.get("ParameterValue", "") for one in self.stack().get("Parameters", [])}
        arn = given.get(PACKAGE, "")
        return int(arn.rsplit("/", 1)[1]) if arn else None

    # The pipeline

    def deployments(self) -> list[Deployment]:
        """Return what the stage of the environment has deployed with success, the last one first."""
        name = self._place.pipeline
        if name is None:
            return []
        current = int(self._ask("codepipeline", "get_pipeline_state", name=name)["pipelineVersion"])
        listed = ("list_pipeline_executions", "pipelineExecutionSummaries")
        brought: dict[str, int] = {}
        ended: dict[str, Mapping[str, Any]] = {}
        for action in self._all("codepipeline", "list_action_executions", "actionExecutionDetails", pipelineName=name):
            # The newest comes first; a stage that was tried again has several.
            identifier, arn = action["pipelineExecutionId"], action["output"].get("outputVariables", {}).get(PACKAGE)
            if action["actionName"] == OUTCOME_ACTION and action["status"] == _SUCCEEDED and arn:
                brought.setdefault(identifier, int(arn.rsplit("/", 1)[1]))
            if (action["stageName"], action["actionName"]) == (self._place.stage, LAST_ACTION):
                ended.setdefault(identifier, action)
        found = []
        for execution in self._all("codepipeline", *listed, pipelineName=name):
            identifier = execution["pipelineExecutionId"]
            back_to = execution.get("rollbackMetadata", {}).get("rollbackTargetPipelineExecutionId")
            last, version = ended.get(identifier), brought.get(back_to or identifier)
            if version is not None and last is not None and last["status"] == _SUCCEEDED:
                found.append(
                    Deployment(
                        execution=identifier,
                        version=version,
                        ended=last["lastUpdateTime"],
                        is_rollback=back_to is not None,
                        is_current_structure=int(last["pipelineVersion"]) == current,
                    )
                )
        return sorted(found, key=lambda one: one.ended, reverse=True)

    def roll_back_stage(self, execution: str) -> str:
        """Run the stage again with what an execution brought; return the id of the new execution."""
        answer = self._ask(
            "codepipeline",
            "rollback_stage",
            pipelineName=self._place.pipeline,
            stageName=self._place.stage,
            targetPipelineExecutionId=execution,
        )
        return str(answer["pipelineExecutionId"])

    def execution(self, identifier: str) -> tuple[str, list[Mapping[str, Any]]]:
        """Return the status of an execution and its actions, in the order in which they began."""
        where = {"pipelineName": self._place.pipeline}
        answer = self._ask("codepipeline", "get_pipeline_execution", **where, pipelineExecutionId=identifier)
        actions = self._all(
            "codepipeline",
            "list_action_executions",
            "actionExecutionDetails",
            **where,
            filter={"pipelineExecutionId": identifier},
        )
        return str(answer["pipelineExecution"]["status"]), list(reversed(actions))

    # The stack

    def update_stack(self, target: Version) -> datetime | None:
        """Let the stack serve another version, with its own role; return when it had changed before.

        Raises:
            AccountError: CloudFormation refused; also when nothing would change.

        """
        stack = self.stack()
        before: datetime | None = stack.get("LastUpdatedTime") or stack.get("CreationTime")
        release = hashlib.sha256(f"{stack['StackId']} {before} {target.arn}".encode()).hexdigest()[:4]
        # Without RoleARN it is the role that deployed the stack: the person need not be allowed to pass it.
        self._ask(
            "cloudformation",
            "update_stack",
            StackName=self._place.stack,
            UsePreviousTemplate=True,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=parameters(stack, target, release),
        )
        return before

    def failures_since(self, moment: datetime | None) -> list[str]:
        """Return what failed in the stack since `moment`, the first failure first."""
        pages = self._all("cloudformation", "describe_stack_events", "StackEvents", StackName=self._place.stack)
        late = [event for event in pages if moment is None or event["Timestamp"] > moment]
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"
            for event in reversed(late)
            if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in event.get("ResourceStatusReason", "")
        ]

    def endpoint(self, name: str) -> tuple[str, str]:
        """Return the status of an endpoint and its configuration."""
        answer = self._ask("sagemaker", "describe_endpoint", EndpointName=name)
        return str(answer["EndpointStatus"]), str(answer["EndpointConfigName"])

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(retries={"mode": "standard", "total_max_attempts": 5})
            self._clients[service] = self._session.client(service, config=config)
        return self._clients[service]

    def _all(self, service: str, operation: str, key: str, **request: Any) -> list[Mapping[str, Any]]:
        try:
            pages = self._client(service).get_paginator(operation).paginate(**request)
            return [one for page in pages for one in page[key]]
        except (BotoCoreError, ClientError) as error:
            raise _refused(service, operation, error) from error

    def _ask(self, service: str, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client(service), operation)(**request)
        except (BotoCoreError, ClientError) as error:
            raise _refused(service, operation, error) from error


def _refused(service: str, operation: str, error: Exception) -> AccountError:
    if isinstance(error, NoCredentialsError):
        return AccountError("there are no AWS credentials; sign in (aws sso login), or name a profile: AWS_PROFILE")
    action = f"{service}:{''.join(word.title() for word in operation.split('_'))}"
    if not isinstance(error, ClientError):
        return AccountError(f"{action} failed: {type(error).__name__}: {error}")
    code, text = error.response["Error"]["Code"], " ".join(error.response["Error"].get("Message", "").split())[:400]
    return AccountError(f"{action} failed: {code}: {text}")
