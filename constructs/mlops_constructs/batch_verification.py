"""The verification workflow of a model that answers files: does it answer labelled rows rightly in a transform job?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.batch_serving import allow_model_use
from mlops_constructs.batch_transform import VERIFIED, job_name, transform_states
from mlops_constructs.execution_roles import RUNS
from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.jobs import QUEUE_SLACK_SECONDS, JobKind, allow_jobs
from mlops_constructs.multi_model import parameter_arn
from mlops_constructs.names import job_name_prefix
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import Batch, ModelSettings
from mlops_constructs.state_machine import LoggedStateMachine
from mlops_constructs.workflow_functions import WorkflowFunctions

_SLACK_SECONDS = 1800


class BatchVerificationWorkflow(Construct):
    """A state machine that a deployment has to pass; its input is that of `VerificationWorkflow`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        project: str,
        model: ModelSettings,
        serving: Batch,
        targets: Sequence[ServingTarget],
        runs_uri: str,
        artifacts: s3.IBucket,
        functions: WorkflowFunctions,
        key: kms.IKey,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the workflow for deployments to `targets`."""
        super().__init__(scope, construct_id)
        self._partition = Stack.of(self).partition
        self._project, self._model, self._serving, self._runs_uri = project, model, serving, runs_uri
        self._functions, self._key = functions, key
        self._job_prefix = job_name_prefix(project, model.name, "try")
        self._function = self._define_function(targets, artifacts, removal_policy)
        self._machine = LoggedStateMachine(
            self,
            "Workflow",
            name=name,
            description=f"Verifies deployments of {model.name}",
            key=key,
            removal_policy=removal_policy,
        )
        role = self._machine.role
        allow_jobs(role, JobKind.TRANSFORM, prefixes=[self._job_prefix])
        for target in targets:
            allow_model_use(role, target, key)
        role.allow("lambda:InvokeFunction", on=[self._function.arn, functions.explain_failure.arn])
        self.state_machine: stepfunctions.CfnStateMachine = self._machine.define(self.definition())

    @property
    def limit_seconds(self) -> int:
        """How long a verification may take."""
        return self._serving.max_runtime_minutes * 60 + QUEUE_SLACK_SECONDS + _SLACK_SECONDS

    def definition(self) -> dict[str, Any]:
        """Return the whole workflow as ASL."""
        sample = f"States.Format('{self._runs_uri}/{{}}/{VERIFIED}/{{}}/%s', $.run, $.environment)"
        states: dict[str, State] = {
            "Sample": self._ask("sample", next_state="IsCurrent", result_path="$.verification"),
            "IsCurrent": asl.choice(
                [{"Variable": "$.verification.Payload.ready", "BooleanEquals": True, "Next": "Answer"}],
                default="VerificationFailed",
            ),
            **transform_states(
                "Answer",
                serving=self._serving,
                partition=self._partition,
                job_name=job_name(self._job_prefix),
                model_name="$.verification.Payload.modelName",
                source={"S3DataType": "S3Prefix", "S3Uri.$": sample % "in"},
                output=sample % "out",
                key_arn=self._key.key_arn,
                instance_count=1,
                next_state="Judge",
            ),
            "Judge": self._ask("answers", next_state="VerificationDecision", result_path="$.verification"),
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
        return {
            "Comment": "Verifies one deployment",
            "StartAt": "Sample",
            "TimeoutSeconds": self.limit_seconds,
            "States": asl.with_named_failures(states),
        }

    def _ask(self, phase: str, *, next_state: str, result_path: str) -> State:
        base = f"{self._runs_uri}/{{}}"
        parameter = f"/{self._project}/{self._model.name}/{{}}/current"
        return asl.invoke(
            self._partition,
            self._function.arn,
            {
                "phase": phase,
                "run.$": "$.run",
                "environment.$": "$.environment",
                "current.$": f"States.Format('{parameter}', $.environment)",
                "expected": {"modelDataUrl.$": "$.modelDataUrl", "imageUri.$": "$.imageUri"},
                "testUri.$": f"States.Format('{base}/{self._functions.labelled_rows}', $.run)",
                "predictionsUri.$": f"States.Format('{base}/evaluation/predictions.csv', $.run)",
                "sampleUri.$": f"States.Format('{base}/{VERIFIED}/{{}}', $.run, $.environment)",
                "recordUri.$": f"States.Format('{base}/deployments/{{}}.json', $.execution, $.environment)",
                "task": self._model.task,
                "gates": self._model.gates.model_dump(mode="json"),
            },
            timeout_seconds=330,
            catch=asl.catch_all("ExplainFailure"),
            next_state=next_state,
            result_path=result_path,
        )

    def _define_function(
        self, targets: Sequence[ServingTarget], artifacts: s3.IBucket, removal_policy: RemovalPolicy
    ) -> WorkflowFunction:
        function = WorkflowFunction(
            self,
            "Function",
            name="verify_batch",
            description="Lets a version answer labelled rows in a transform job, and checks the answers",
            key=self._key,
            timeout=Duration.minutes(5),
            removal_policy=removal_policy,
        )
        role, folder = function.role, f"{self._model.name}/runs/*"
        role.allow("ssm:GetParameter", on=[parameter_arn(self, one.current) for one in targets if one.current])
        read = (self._functions.labelled_rows, "evaluation/predictions.csv", f"{VERIFIED}/*/out/rows.csv.out")
        role.allow("s3:GetObject", on=[artifacts.arn_for_objects(f"{folder}/{one}") for one in read], because=RUNS)
        written = (f"{VERIFIED}/*/in/rows.csv", "deployments/*.json")
        role.allow("s3:PutObject", on=[artifacts.arn_for_objects(f"{folder}/{one}") for one in written], because=RUNS)
        role.allow_use_of_key(self._key, write=True, via="s3")
        return function
