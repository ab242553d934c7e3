"""The verification workflow: is the endpoint in service, is it the one asked for, and does it answer rightly?"""

from __future__ import annotations

from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.settings import Gates, Task
from mlops_constructs.state_machine import LoggedStateMachine
from mlops_constructs.workflow_functions import WorkflowFunctions

POLL_SECONDS = 30
WAIT_LIMIT_SECONDS = 2700
TIME_LIMIT_SECONDS = 3600


class VerificationWorkflow(Construct):
    """A state machine that a deployment has to pass.

    Input: `{"run", "execution", "environment", "endpointName", "endpointConfigName", "modelDataUrl", "imageUri",
    "access"}`, where `run` has the labelled rows, `execution` gets the record, and `access` is the role and region of
    an endpoint in another account. In service is not success: SageMaker can roll an update back without a reason,
    so what serves is compared with what was asked for, and labelled rows are sent through it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        model: str,
        gates: Gates,
        task: Task,
        runs_uri: str,
        functions: WorkflowFunctions,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the workflow; the runs of the model stand below `runs_uri`."""
        super().__init__(scope, construct_id)
        self._partition = Stack.of(self).partition
        self._gates, self._task, self._runs_uri, self._functions = gates, task, runs_uri, functions
        self._machine = LoggedStateMachine(
            self,
            "Workflow",
            name=name,
            description=f"Verifies deployments of {model}",
            key=key,
            removal_policy=removal_policy,
        )
        role = self._machine.role
        role.allow("lambda:InvokeFunction", on=[functions.verify_endpoint.arn, functions.explain_failure.arn])
        self.state_machine: stepfunctions.CfnStateMachine = self._machine.define(self.definition())

    @property
    def limit_seconds(self) -> int:
        """How long a verification may take."""
        return TIME_LIMIT_SECONDS

    def definition(self) -> dict[str, Any]:
        """Return the whole workflow as ASL."""
        return {
            "Comment": "Verifies one deployment",
            "StartAt": "Verify",
            "TimeoutSeconds": TIME_LIMIT_SECONDS,
            "States": asl.with_named_failures(
                {
                    "Verify": self._verify(),
                    "VerificationDecision": asl.choice(
                        [{"Variable": "$.verification.Payload.passed", "BooleanEquals": True, "Next": "Verified"}],
                        default="VerificationFailed",
                    ),
                    "Verified": {"Type": "Succeed", "OutputPath": "$.verification.Payload"},
                    "VerificationFailed": {
                        "Type": "Fail",
                        "Error": "VerificationFailed",
                        "CausePath": "$.verification.Payload.summary",
                    },
                    **asl.explained_failure(self._partition, self._functions.explain_failure.arn),
                }
            ),
        }

    def _verify(self) -> State:
        base = f"{self._runs_uri}/{{}}"
        return asl.invoke(
            self._partition,
            self._functions.verify_endpoint.arn,
            {
                "run.$": "$.run",
                "environment.$": "$.environment",
                "endpointName.$": "$.endpointName",
                "access.$": "$.access",
                "expected": {
                    "modelDataUrl.$": "$.modelDataUrl",
                    "imageUri.$": "$.imageUri",
                    "endpointConfigName.$": "$.endpointConfigName",
                },
                "testUri.$": f"States.Format('{base}/{self._functions.labelled_rows}', $.run)",
                "predictionsUri.$": f"States.Format('{base}/evaluation/predictions.csv', $.run)",
                "recordUri.$": f"States.Format('{base}/deployments/{{}}.json', $.execution, $.environment)",
                "task": self._task,
                "gates": self._gates.model_dump(mode="json"),
                **({"target": self._functions.target} if self._functions.target else {}),
            },
            timeout_seconds=660,
            # An endpoint that is still being made or changed: the function says so, and is asked again.
            waits=[asl.wait_for("EndpointChanging", interval_seconds=POLL_SECONDS, limit_seconds=WAIT_LIMIT_SECONDS)],
            catch=asl.catch_all("ExplainFailure"),
            next_state="VerificationDecision",
            result_path="$.verification",
        )
