"""The training workflow: validate data, prepare, train, evaluate, gate, register."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.candidate_states import Candidate
from mlops_constructs.champion import Champion
from mlops_constructs.execution_roles import RUNS, JobExecutionRole
from mlops_constructs.jobs import QUEUE_SLACK_SECONDS, JobKind, JobState, allow_jobs
from mlops_constructs.model_image import ModelImage, repository_arn
from mlops_constructs.names import job_name_prefix
from mlops_constructs.network import vpc_config
from mlops_constructs.processing_programs import ProcessingPrograms
from mlops_constructs.quality_gate import QualityGate
from mlops_constructs.scoring import Scoring
from mlops_constructs.security_gate import SecurityGate
from mlops_constructs.serving_target import ServingTarget
from mlops_constructs.settings import ModelSettings
from mlops_constructs.state_machine import LoggedStateMachine
from mlops_constructs.training_request import training_request
from mlops_constructs.workflow_functions import WorkflowFunctions

_REST_SECONDS = 2 * 3600
"""What a run may take beside its jobs: the scan of the image, the copy of the data, the functions."""


class TrainingWorkflow(Construct):
    """A state machine from a data version to a registered model package, or to a failure with its cause.

    Input: `{"run": ..., "data": {"bucket", "key", "version"}, "code": {"version"}}`, and `image`
    where the recipe does not know it at synthesis; for a model that is handed over, `data` is the manifest of the
    candidate. Everything that a run writes
    stands below `<model>/runs/<run>/` in the artifact bucket; states hold pointers, never data.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        model: ModelSettings,
        image: ModelImage,
        processing_image: str,
        data: s3.IBucket,
        artifacts: s3.IBucket,
        key: kms.IKey,
        functions: WorkflowFunctions,
        group_name: str,
        champion: ServingTarget,
        processing_code: Path,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the workflow of `model`; the model that serves at `champion` has to be beaten."""
        super().__init__(scope, construct_id)
        self._project, self._model = project, model
        self._image, self._functions = image, functions
        self._data, self._artifacts, self._key = data, artifacts, key
        self._group_name, self._champion_target = group_name, champion
        self._partition = Stack.of(self).partition
        self._programs = ProcessingPrograms(
            self,
            "Programs",
            project=project,
            model=model,
            image_uri=processing_image,
            code=processing_code,
            key=key,
        )
        self._candidate = Candidate.of(model, partition=self._partition, data=data, artifacts=artifacts)
        self._gate = QualityGate(partition=self._partition, function_arn=functions.quality_gate.arn, gates=model.gates)
        self.execution_role = JobExecutionRole(
            self,
            "ExecutionRole",
            model=model.name,
            runs_prefix=f"{model.name}/runs",
            artifacts=artifacts,
            key=key,
            repositories=[image.repository_arn, repository_arn(self, processing_image)],
            assets=self._programs.assets,
        )
        self._scoring = Scoring(
            partition=self._partition,
            project=project,
            model=model,
            role_arn=self.execution_role.arn,
            key_arn=key.key_arn,
            vpc_config=vpc_config(self),
        )
        self._machine = LoggedStateMachine(
            self,
            "Workflow",
            name=f"{project}-{model.name}-training",
            description=f"Trains, judges and registers {model.name}",
            key=key,
            removal_policy=removal_policy,
        )
        self._grant()
        self.state_machine: stepfunctions.CfnStateMachine = self._machine.define(self.definition())

    @property
    def limit_seconds(self) -> int:
        """How long a run may take: every job its longest, training on every instance type, scoring twice."""
        processing = self._model.processing.max_runtime_minutes * 60 + QUEUE_SLACK_SECONDS
        training = self._training_seconds() + QUEUE_SLACK_SECONDS
        types = len(self._model.training.instance_types)
        return processing * 4 + training * types + _REST_SECONDS

    def definition(self) -> dict[str, Any]:
        """Return the whole workflow as ASL."""
        role = self.execution_role.arn
        candidate = self._candidate
        promoted = candidate is not None and candidate.promotes_model
        learnt = "AdoptModel" if promoted else "Train"
        states: dict[str, State] = {
            **(candidate.read(next_state="Begin") if candidate else {}),
            "Begin": self._begin(),
            **self._security_gate(),
            "Snapshot": self._snapshot(),
            **self._programs.prepare(role_arn=role, next_state="DataGate"),
            **self._gate.states("DataGate", report="data-report/validation.json", decision="data", passed=learnt),
            **(candidate.adopt(next_state="FindChampion") if candidate and promoted else self._learn()),
            **self._champion().states(alone="ScoreChallenger", both="ScoreBoth"),
            **self._scoring.states(alone="Evaluate", both="EvaluateAgainstChampion"),
            **self._programs.evaluate("Evaluate", champion=False, role_arn=role, next_state="MetricGate"),
            **self._programs.evaluate("EvaluateAgainstChampion", champion=True, role_arn=role, next_state="MetricGate"),
            **self._gate.states(
                "MetricGate",
                report="evaluation/evaluation.json",
                decision="metrics",
                passed="Register",
                facts={
                    "championExists.$": "$.champion.Payload.exists",
                    **(candidate.claims if candidate and promoted else {}),
                },
            ),
            "Register": self._register(),
            **asl.explained_failure(self._partition, self._functions.explain_failure.arn),
        }
        return {
            "Comment": f"Training workflow of {self._model.name}",
            "StartAt": next(iter(states)),
            "TimeoutSeconds": self.limit_seconds,
            "States": asl.with_named_failures(states),
        }

    def _begin(self) -> State:
        """Where the run writes; every later state refers to it."""
        prefix = f"{self._model.name}/runs"
        return {
            "Type": "Pass",
            "Parameters": {
                "run.$": "$.run",
                **self._image.state,
                **(self._candidate.state if self._candidate else {"data.$": "$.data"}),
                "code.$": "$.code",
                "folder.$": f"States.Format('{prefix}/{{}}', $.run)",
                "base.$": f"States.Format('s3://{self._artifacts.bucket_name}/{prefix}/{{}}', $.run)",
                "instanceTypes": list(self._model.training.instance_types),
                "try": {"attempt": 0},
            },
            "Next": "Snapshot" if self._image.scan is None else "SecurityGate",
        }

    def _security_gate(self) -> dict[str, State]:
        function = self._functions.security_gate
        if self._image.scan is None or function is None:
            return {}
        gate = SecurityGate(partition=self._partition, function_arn=function.arn, scan=self._image.scan)
        return gate.states(passed="Snapshot")

    def _snapshot(self) -> State:
        """Copy the exact version of the data that started the run: later uploads cannot change what it trains on."""
        return asl.task(
            f"arn:{self._partition}:states:::aws-sdk:s3:copyObject",
            {
                "Bucket": self._artifacts.bucket_name,
                "Key.$": "States.Format('{}/raw/data.csv', $.folder)",
                "CopySource.$": "States.Format('{}/{}?versionId={}', $.data.bucket, $.data.key, $.data.version)",
                # Copying tags would need permission to read them; the copy has none.
                "TaggingDirective": "REPLACE",
            },
            timeout_seconds=900,
            catch=asl.catch_all("ExplainFailure"),
            next_state="Prepare",
            result_path="$.snapshot",
            result_selector={"VersionId.$": "$.VersionId"},
        )

    def _learn(self) -> dict[str, State]:
        return {**self._train().states(self._partition), **self._capacity()}

    def _train(self) -> JobState:
        prefix = job_name_prefix(self._project, self._model.name, "train")
        return JobState(
            name="Train",
            kind=JobKind.TRAINING,
            request=training_request(
                self._model,
                role_arn=self.execution_role.arn,
                key_arn=self._key.key_arn,
                vpc_config=vpc_config(self),
            ),
            job_name=f"States.Format('{prefix}-{{}}-{{}}', {asl.EXECUTION_DIGEST}, $.try.attempt)",
            limit_seconds=self._training_seconds(),
            keep={
                "TrainingJobName.$": "$.TrainingJobName",
                "TrainingJobArn.$": "$.TrainingJobArn",
                "ModelDataUrl.$": "$.ModelArtifacts.S3ModelArtifacts",
            },
            next_state="FindChampion",
            failed="TrainFailed",
        )

    def _training_seconds(self) -> int:
        return (self._model.training.max_wait_minutes or self._model.training.max_runtime_minutes) * 60

    def _champion(self) -> Champion:
        return Champion(
            partition=self._partition,
            function_arn=self._functions.find_champion.arn,
            target=self._champion_target,
        )

    def _capacity(self) -> dict[str, State]:
        """Try the next instance type when, and only when, there is no capacity for this one."""
        last = len(self._model.training.instance_types) - 1
        return {
            "TrainFailed": asl.choice(
                [
                    {
                        "And": [
                            {"Variable": "$.failure.Cause", "IsPresent": True},
                            {"Variable": "$.failure.Cause", "StringMatches": "*CapacityError*"},
                            {"Variable": "$.try.attempt", "NumericLessThan": last},
                        ],
                        "Next": "NextInstanceType",
                    }
                ],
                default="ExplainFailure",
            ),
            "NextInstanceType": asl.assign(
                {"attempt.$": "States.MathAdd($.try.attempt, 1)"}, result_path="$.try", next_state="Train"
            ),
        }

    def _register(self) -> State:
        return asl.invoke(
            self._partition,
            self._functions.register_model.arn,
            {
                "run.$": "$.run",
                "model": self._model.name,
                "group": self._group_name,
                "task": self._model.task,
                "imageUri.$": "$.image",
                "modelDataUrl.$": "$.train.ModelDataUrl",
                "trainingJobName.$": "$.train.TrainingJobName",
                "trainingJobArn.$": "$.train.TrainingJobArn",
                "evaluationUri.$": "States.Format('{}/evaluation/evaluation.json', $.base)",
                "dataVersion.$": "$.data.version",
                "dataUri.$": "States.Format('s3://{}/{}', $.data.bucket, $.data.key)",
                "codeVersion.$": "$.code.version",
                "registrationUri.$": "States.Format('{}/registration.json', $.base)",
                **(self._candidate.provenance if self._candidate else {}),
            },
            timeout_seconds=180,
            catch=asl.catch_all("ExplainFailure"),
            next_state=None,
            result_path="$.registered",
        ) | {"OutputPath": "$.registered.Payload"}

    def _grant(self) -> None:
        stack, role, name = Stack.of(self), self._machine.role, self._model.name
        allow_jobs(role, JobKind.PROCESSING, prefixes=self._programs.job_name_prefixes())
        if self._candidate is None or not self._candidate.promotes_model:
            allow_jobs(role, JobKind.TRAINING, prefixes=[job_name_prefix(self._project, name, "train")])
        self._scoring.grant(role)
        role.allow_pass(self.execution_role)
        if self._candidate is None:
            role.allow("s3:GetObjectVersion", on=self._data.arn_for_objects(self._model.data.key))
        else:
            self._candidate.grant(role)
        raw = self._artifacts.arn_for_objects(f"{self._model.name}/runs/*/raw/data.csv")
        role.allow("s3:PutObject", on=raw, because=RUNS)
        role.allow_use_of_key(self._key, write=True, via="s3")
        # SageMaker takes a grant on the key of a job's volume in the name of whoever starts the job.
        role.allow(
            "kms:CreateGrant",
            "kms:DescribeKey",
            on=self._key.key_arn,
            when={"StringEquals": {"kms:ViaService": f"sagemaker.{stack.region}.amazonaws.com"}},
        )
        role.allow(
            "lambda:InvokeFunction",
            on=[
                function.arn
                for function in (
                    self._functions.quality_gate,
                    self._functions.find_champion,
                    self._functions.register_model,
                    self._functions.explain_failure,
                    *([self._functions.security_gate] if self._functions.security_gate else []),
                )
            ],
        )
