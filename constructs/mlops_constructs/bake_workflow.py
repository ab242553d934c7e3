"""The bake: labelled rows for an endpoint while it is updated, because alarms see nothing where nobody calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.alarm_catalogue import OWN
from mlops_constructs.asl import State
from mlops_constructs.deployment_role import VERSIONS
from mlops_constructs.execution_roles import RUNS
from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import Gates, Task
from mlops_constructs.settings.serving import VARIANT
from mlops_constructs.state_machine import LoggedStateMachine
from mlops_constructs.workflow_functions import WorkflowFunctions

ROUND_SECONDS = 60
FIRST_ROUND = {"rounds": 0, "updating": False}
METRICS = "CloudWatch has no resource-level permission for metrics; the namespace is the condition"


class BakeWorkflow(Construct):
    """A state machine that runs beside an update of an endpoint.

    Input: `{"phase", "mode", "run", "environment", "endpointName", "access", "requests", "progress"}`. Phase `baseline`
    is the moment before the update: what the version in service answers. In phase `bake`, each minute until the update
    has ended, `requests` labelled rows are sent; what neither version would answer is counted in the metric
    WrongAnswers. Mode `immediate` sends nothing: no alarm rolls such an update back.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        model: str,
        task: Task,
        gates: Gates,
        targets: Sequence[ServingTarget],
        verification_path: str,
        functions: WorkflowFunctions,
        runs_uri: str,
        artifacts: s3.IBucket,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the workflow for updates of the endpoints of `targets`."""
        super().__init__(scope, construct_id)
        self._partition = Stack.of(self).partition
        self._model, self._task, self._gates, self._runs_uri = model, task, gates, runs_uri
        self._targets, self._functions = targets, functions
        self._bake = self._define_function(verification_path, artifacts, key, removal_policy)
        self._machine = LoggedStateMachine(
            self, "Workflow", name=name, description=f"Bakes updates of {model}", key=key, removal_policy=removal_policy
        )
        self._machine.role.allow("lambda:InvokeFunction", on=[self._bake.arn, functions.explain_failure.arn])
        self.state_machine: stepfunctions.CfnStateMachine = self._machine.define(self.definition())

    def definition(self) -> dict[str, Any]:
        """Return the whole workflow as ASL."""
        return {
            "Comment": "Bakes one update",
            "StartAt": "IsNeeded",
            # An update, and the way back.
            "TimeoutSeconds": 2 * max(target.rollout.timeout_minutes for target in self._targets) * 60,
            "States": asl.with_named_failures(
                {
                    "IsNeeded": asl.choice(
                        [
                            {"Variable": "$.mode", "StringEquals": "immediate", "Next": "Over"},
                            {"Variable": "$.mode", "StringEquals": "guarded", "Next": "Look"},
                        ],
                        default="UnknownMode",
                    ),
                    "UnknownMode": {
                        "Type": "Fail",
                        "Error": "UnknownMode",
                        "CausePath": "States.Format('the mode is guarded or immediate, got {}', $.mode)",
                    },
                    "Look": self._look(),
                    "IsOver": asl.choice(
                        [
                            {"Variable": "$.look.Payload.over", "BooleanEquals": False, "Next": "Wait"},
                            {"Variable": "$.look.Payload.over", "BooleanEquals": True, "Next": "Over"},
                        ],
                        default="UnknownAnswer",
                    ),
                    "UnknownAnswer": {
                        "Type": "Fail",
                        "Error": "UnknownAnswer",
                        "CausePath": "States.JsonToString($.look.Payload)",
                    },
                    "Wait": asl.wait(ROUND_SECONDS, next_state="Remember"),
                    "Remember": {
                        "Type": "Pass",
                        "InputPath": "$.look.Payload.progress",
                        "ResultPath": "$.progress",
                        "Next": "Look",
                    },
                    "Over": {"Type": "Succeed"},
                    **asl.explained_failure(self._partition, self._functions.explain_failure.arn),
                }
            ),
        }

    def _look(self) -> State:
        base = f"{self._runs_uri}/{{}}"
        passed_on = ("phase", "run", "environment", "endpointName", "access", "requests", "progress")
        return asl.invoke(
            self._partition,
            self._bake.arn,
            {
                **{f"{name}.$": f"$.{name}" for name in passed_on},
                "task": self._task,
                "model": self._model,
                "variant": VARIANT,
                "tolerance": self._gates.verify.tolerance,
                "testUri.$": f"States.Format('{base}/{self._functions.labelled_rows}', $.run)",
                "predictionsUri.$": f"States.Format('{base}/evaluation/predictions.csv', $.run)",
                "baselineUri.$": f"States.Format('{base}/deployments/{{}}-baseline.json', $.run, $.environment)",
            },
            timeout_seconds=330,
            catch=asl.catch_all("ExplainFailure"),
            next_state="IsOver",
            result_path="$.look",
        )

    def _define_function(
        self, verification_path: str, artifacts: s3.IBucket, key: kms.IKey, removal_policy: RemovalPolicy
    ) -> WorkflowFunction:
        remote = [target.remote.observer_role_arn for target in self._targets if target.remote]
        function = WorkflowFunction(
            self,
            "Function",
            name="bake_traffic",
            description="Sends labelled rows to an endpoint that is being updated",
            key=key,
            timeout=Duration.minutes(5),
            role_path=verification_path if remote else None,
            removal_policy=removal_policy,
        )
        function.role.allow_assume(remote)
        stack = Stack.of(self)
        local = [
            stack.format_arn(service="sagemaker", resource="endpoint", resource_name=target.endpoint)
            for target in self._targets
            if target.remote is None
        ]
        if local:
            function.role.allow("sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint", on=local, because=VERSIONS)
            allow_own_metrics(function.role)
        read = (self._functions.labelled_rows, "evaluation/predictions.csv", "deployments/*-baseline.json")
        folder = f"{self._model}/runs/*"
        function.role.allow(
            "s3:GetObject", on=[artifacts.arn_for_objects(f"{folder}/{file}") for file in read], because=RUNS
        )
        function.role.allow(
            "s3:PutObject", on=artifacts.arn_for_objects(f"{folder}/deployments/*-baseline.json"), because=RUNS
        )
        function.role.allow_use_of_key(key, write=True, via="s3")
        return function


def allow_own_metrics(role: Any) -> None:
    """Let `role` publish metrics of the product's own namespace."""
    role.allow(
        "cloudwatch:PutMetricData",
        on="*",
        when={"StringEquals": {"cloudwatch:namespace": OWN}},
        because=METRICS,
    )
