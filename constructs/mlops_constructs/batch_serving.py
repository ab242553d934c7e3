"""A model that answers files: on a schedule, a state machine lets a transform job answer whatever is new.

The answers are written where nobody looks for them; the manifest, which is written last and in one piece, makes a batch
visible when every file has an answer to every row.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html
"""

from __future__ import annotations

from typing import Any, Final

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.batch_transform import FILES, job_name, transform_states
from mlops_constructs.functions import WorkflowFunction
from mlops_constructs.jobs import QUEUE_SLACK_SECONDS, JobKind, allow_jobs
from mlops_constructs.messaging import DeadLetterQueue, DeliveredRule
from mlops_constructs.multi_model import parameter_arn
from mlops_constructs.names import job_name_prefix
from mlops_constructs.roles import ServiceRole
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import Batch, ModelSettings, Task
from mlops_constructs.state_machine import LoggedStateMachine
from mlops_constructs.workflow_functions import WorkflowFunctions

_JUDGE_MINUTES: Final = 15


class BatchServing(Construct):
    """The batches of one model in one environment, and when they run.

    Input of the state machine: anything. A batch takes what no manifest lists; a file that cannot be answered fails the
    whole batch, which is told, and tried again with the next one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        project: str,
        model: ModelSettings,
        serving: Batch,
        target: ServingTarget,
        data: s3.IBucket,
        functions: WorkflowFunctions,
        key: kms.IKey,
        topic: sns.ITopic,
        dead_letters: DeadLetterQueue,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the state machine `name`, its function and its schedule."""
        super().__init__(scope, construct_id)
        if target.current is None:
            msg = f"{target.environment} of {model.name} has no parameter that names the current version"
            raise ValueError(msg)
        self._partition = Stack.of(self).partition
        self._model, self._serving, self._environment = model, serving, target.environment
        self._data, self._functions, self._key, self._current = data, functions, key, target.current
        self._name = name
        self._job_prefix = job_name_prefix(project, model.name, "batch", target.environment)
        self._function = self._define_function(key, removal_policy)
        self._machine = LoggedStateMachine(
            self,
            "Workflow",
            name=name,
            description=f"Answers files with {model.name} in {target.environment}",
            key=key,
            removal_policy=removal_policy,
        )
        self._grant(target)
        self.state_machine: stepfunctions.CfnStateMachine = self._machine.define(self.definition())
        self._start_on_schedule(dead_letters)
        self._tell_failures(topic, dead_letters)

    def definition(self) -> dict[str, Any]:
        """Return the whole workflow as ASL."""
        found = "$.selected.Payload.found"
        states: dict[str, State] = {
            "Select": self._ask("select", next_state="IsAnythingNew", result_path="$.selected"),
            "IsAnythingNew": asl.choice(
                [
                    {"Variable": found, "BooleanEquals": True, "Next": "Answer"},
                    {"Variable": found, "BooleanEquals": False, "Next": "NothingToDo"},
                ],
                default="SelectionUnknown",
            ),
            "NothingToDo": {"Type": "Succeed", "OutputPath": "$.selected.Payload"},
            "SelectionUnknown": {
                "Type": "Fail",
                "Error": "SelectionUnknown",
                "Cause": "it is not known whether there are files to answer",
            },
            **transform_states(
                "Answer",
                serving=self._serving,
                partition=self._partition,
                job_name=job_name(self._job_prefix),
                model_name="$.selected.Payload.modelName",
                source={"S3DataType": "ManifestFile", "S3Uri.$": "$.selected.Payload.requestUri"},
                output="$.selected.Payload.answersUri",
                key_arn=self._key.key_arn,
                instance_count=self._serving.instance_count,
                next_state="Publish",
            ),
            "Publish": self._ask("publish", next_state="IsRight", result_path="$.published"),
            "IsRight": asl.choice(
                [{"Variable": "$.published.Payload.passed", "BooleanEquals": True, "Next": "Published"}],
                default="BatchRejected",
            ),
            "Published": {"Type": "Succeed", "OutputPath": "$.published.Payload"},
            "BatchRejected": {
                "Type": "Fail",
                "Error": "BatchRejected",
                "CausePath": "$.published.Payload.summary",
            },
            **asl.explained_failure(self._partition, self._functions.explain_failure.arn),
        }
        return {
            "Comment": f"One batch of {self._model.name} in {self._environment}",
            "StartAt": "Select",
            "TimeoutSeconds": self._serving.max_runtime_minutes * 60 + QUEUE_SLACK_SECONDS + 3 * _JUDGE_MINUTES * 60,
            "States": asl.with_named_failures(states),
        }

    def _ask(self, phase: str, *, next_state: str, result_path: str) -> State:
        bucket = self._data.bucket_name
        return asl.invoke(
            self._partition,
            self._function.arn,
            {
                "phase": phase,
                "batch.$": "$$.Execution.Name",
                "stateMachine.$": "$$.StateMachine.Id",
                "environment": self._environment,
                "inputUri": f"s3://{bucket}/{self._serving.input}/{self._environment}/",
                "outputUri": f"s3://{bucket}/{self._serving.output}/{self._environment}/",
                "current": self._current,
                "task": self._model.task,
                "width": self._width(),
            },
            timeout_seconds=_JUDGE_MINUTES * 60 + 30,
            catch=asl.catch_all("ExplainFailure"),
            next_state=next_state,
            result_path=result_path,
        )

    def _width(self) -> int:
        """How many numbers the model answers for a row."""
        if self._model.task != Task.MULTICLASS:
            return 1
        return len(self._model.data.columns[self._model.data.label].categories)

    def _define_function(self, key: kms.IKey, removal_policy: RemovalPolicy) -> WorkflowFunction:
        function = WorkflowFunction(
            self,
            "Function",
            name="run_batch",
            description="Chooses the files of a batch, and publishes their answers",
            key=key,
            timeout=Duration.minutes(_JUDGE_MINUTES),
            removal_policy=removal_policy,
        )
        given, answered = f"{self._serving.input}/{self._environment}", f"{self._serving.output}/{self._environment}"
        role, data = function.role, self._data
        role.allow(
            "states:ListExecutions",
            on=Stack.of(self).format_arn(
                service="states",
                resource="stateMachine",
                resource_name=self._name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
        )
        role.allow("ssm:GetParameter", on=parameter_arn(self, self._current))
        read = [f"{given}/*", *(f"{answered}/{folder}/*" for folder in ("answers", "manifests", "requests"))]
        role.allow("s3:GetObject", on=[data.arn_for_objects(one) for one in read], because=FILES)
        written = [data.arn_for_objects(f"{answered}/{folder}/*") for folder in ("manifests", "requests")]
        role.allow("s3:PutObject", on=written, because=FILES)
        prefixes = [f"{given}/*", f"{answered}/manifests/*"]
        role.allow("s3:ListBucket", on=data.bucket_arn, when={"StringLike": {"s3:prefix": prefixes}})
        role.allow_use_of_key(key, write=True, via="s3")
        return function

    def _grant(self, target: ServingTarget) -> None:
        role = self._machine.role
        allow_jobs(role, JobKind.TRANSFORM, prefixes=[self._job_prefix])
        allow_model_use(role, target, self._key)
        role.allow("lambda:InvokeFunction", on=[self._function.arn, self._functions.explain_failure.arn])

    def _start_on_schedule(self, dead_letters: DeadLetterQueue) -> None:
        starter = ServiceRole(
            self, "Starter", service="events.amazonaws.com", description=f"Starts batches of {self._model.name}"
        )
        starter.allow("states:StartExecution", on=self.state_machine.ref)
        rule = DeliveredRule(
            self,
            "Schedule",
            description=f"Time for a batch of {self._model.name} in {self._environment}",
            schedule=self._serving.schedule,
            target_arn=self.state_machine.ref,
            target_role_arn=starter.arn,
            dead_letters=dead_letters,
        )
        starter.required_by(rule.rule)

    def _tell_failures(self, topic: sns.ITopic, dead_letters: DeadLetterQueue) -> None:
        DeliveredRule(
            self,
            "TellFailures",
            description=f"A failed batch of {self._model.name} in {self._environment}",
            pattern={
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "stateMachineArn": [self.state_machine.ref],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            },
            target_arn=topic.topic_arn,
            dead_letters=dead_letters,
            input_paths={"batch": "$.detail.name", "status": "$.detail.status", "cause": "$.detail.cause"},
            input_template='{"failed": <batch>, "status": <status>, "cause": <cause>}',
        )


def allow_model_use(role: ServiceRole, target: ServingTarget, key: kms.IKey) -> None:
    """Let a state machine start transform jobs with the models of `target`, on volumes that `key` encrypts."""
    stack = Stack.of(role)
    # Authorized on the model too (Service Authorization Reference, Amazon SageMaker AI).
    role.allow(
        "sagemaker:CreateTransformJob",
        on=stack.format_arn(service="sagemaker", resource="model", resource_name=f"{target.endpoint}-v*"),
        because="the versions of this model, which are named when they are deployed",
    )
    role.allow(
        "kms:CreateGrant",
        "kms:DescribeKey",
        on=key.key_arn,
        when={"StringEquals": {"kms:ViaService": f"sagemaker.{stack.region}.amazonaws.com"}},
    )
