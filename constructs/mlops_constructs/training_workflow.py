"""The training workflow: validate data, prepare, train, evaluate, gate, register."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.execution_roles import RUNS, JobExecutionRole
from mlops_constructs.jobs import JobKind, JobState, allow_jobs, processing_request
from mlops_constructs.names import job_name_prefix
from mlops_constructs.network import vpc_config
from mlops_constructs.quality_gate import QualityGate
from mlops_constructs.settings import Environment, ModelSettings
from mlops_constructs.state_machine import LoggedStateMachine
from mlops_constructs.training_request import training_request
from mlops_constructs.workflow_functions import WorkflowFunctions

INPUT_FOLDER = "/opt/ml/processing/input"


class TrainingWorkflow(Construct):
    """A state machine from a data version to a registered model package, or to a failure with its cause.

    Input: `{"run": ..., "data": {"bucket", "key", "version"}, "code": {"version"}}`. Everything that a run writes
    stands below `<model>/runs/<run>/` in the artifact bucket; states hold pointers, never data.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        model: ModelSettings,
        environment: Environment,
        image_uri: str,
        data: s3.IBucket,
        artifacts: s3.IBucket,
        key: kms.IKey,
        functions: WorkflowFunctions,
        group_name: str,
        champion_endpoint: str,
        processing_code: Path,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the workflow of `model`; `champion_endpoint` is the endpoint whose model has to be beaten."""
        super().__init__(scope, construct_id)
        self._project, self._model, self._environment = project, model, environment
        self._image_uri, self._functions = image_uri, functions
        self._data, self._artifacts, self._key = data, artifacts, key
        self._group_name, self._champion_endpoint = group_name, champion_endpoint
        self._partition = Stack.of(self).partition
        self._code = s3_assets.Asset(self, "Code", path=str(processing_code), exclude=["**/__pycache__", "*.pyc"])
        self._settings = self._settings_asset()
        self._gate = QualityGate(partition=self._partition, function_arn=functions.quality_gate.arn, gates=model.gates)
        self.execution_role = JobExecutionRole(
            self,
            "ExecutionRole",
            model=model.name,
            runs_prefix=f"{model.name}/runs",
            artifacts=artifacts,
            key=key,
            image_uri=image_uri,
            assets=[self._code, self._settings],
            in_vpc=environment.network is not None,
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

    def definition(self) -> dict[str, Any]:
        """Return the whole workflow as ASL."""
        states: dict[str, State] = {
            "Begin": self._begin(),
            "Snapshot": self._snapshot(),
            **self._prepare().states(self._partition),
            **self._gate.states("DataGate", report="data-report/validation.json", decision="data", passed="Train"),
            **self._train().states(self._partition),
            **self._capacity(),
            "FindChampion": self._find_champion(),
            **self._has_champion(),
            **self._evaluate("Evaluate", champion=False).states(self._partition),
            **self._evaluate("EvaluateAgainstChampion", champion=True).states(self._partition),
            **self._gate.states(
                "MetricGate",
                report="evaluation/evaluation.json",
                decision="metrics",
                passed="Register",
                facts={"championExists.$": "$.champion.Payload.exists"},
            ),
            "Register": self._register(),
            **asl.explained_failure(self._partition, self._functions.explain_failure.arn),
        }
        limits = (self._model.processing.max_runtime_minutes * 2 + self._model.training.max_runtime_minutes) * 60
        return {
            "Comment": f"Training workflow of {self._model.name}",
            "StartAt": "Begin",
            "TimeoutSeconds": limits * len(self._model.training.instance_types) + 6 * 3600,
            "States": asl.with_named_failures(states),
        }

    def _begin(self) -> State:
        """Where the run writes; every later state refers to it."""
        prefix = f"{self._model.name}/runs"
        return {
            "Type": "Pass",
            "Parameters": {
                "run.$": "$.run",
                "data.$": "$.data",
                "code.$": "$.code",
                "folder.$": f"States.Format('{prefix}/{{}}', $.run)",
                "base.$": f"States.Format('s3://{self._artifacts.bucket_name}/{prefix}/{{}}', $.run)",
                "instanceTypes": list(self._model.training.instance_types),
                "try": {"attempt": 0},
            },
            "Next": "Snapshot",
        }

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

    def _prepare(self) -> JobState:
        return self._processing(
            "Prepare",
            program="prepare",
            inputs={"raw": {"S3Uri.$": "States.Format('{}/raw', $.base)"}},
            outputs={
                **{
                    part: {"S3Uri.$": f"States.Format('{{}}/prepared/{part}', $.base)"}
                    for part in ("train", "validation", "test")
                },
                "report": {"S3Uri.$": "States.Format('{}/data-report', $.base)"},
            },
            next_state="DataGate",
        )

    def _evaluate(self, name: str, *, champion: bool) -> JobState:
        inputs: dict[str, State] = {
            "test": {"S3Uri.$": "States.Format('{}/prepared/test', $.base)"},
            "challenger": {"S3Uri.$": "$.train.ModelDataUrl"},
        }
        if champion:
            inputs["champion"] = {"S3Uri.$": "$.champion.Payload.modelDataUrl"}
            # The features of both, by name and order: models of other features cannot be compared on these rows.
            inputs["champion-report"] = {"S3Uri.$": "$.champion.Payload.dataReportUri"}
            inputs["report"] = {"S3Uri.$": "States.Format('{}/data-report', $.base)"}
        return self._processing(
            name,
            program="evaluate",
            inputs=inputs,
            outputs={"evaluation": {"S3Uri.$": "States.Format('{}/evaluation', $.base)"}},
            next_state="MetricGate",
        )

    def _processing(
        self, name: str, *, program: str, inputs: dict[str, State], outputs: dict[str, State], next_state: str
    ) -> JobState:
        settings = self._model.processing
        limit = settings.max_runtime_minutes * 60
        request = processing_request(
            image_uri=self._image_uri,
            role_arn=self.execution_role.arn,
            key_arn=self._key.key_arn,
            instance_type=settings.instance_type,
            volume_gb=settings.volume_gb,
            limit_seconds=limit,
            arguments=[
                f"{INPUT_FOLDER}/code/{self._code.s3_object_key}",
                program,
                "--settings",
                f"{INPUT_FOLDER}/settings/{self._settings.s3_object_key}",
            ],
            inputs={
                **inputs,
                "code": {"S3Uri": self._code.s3_object_url},
                "settings": {"S3Uri": self._settings.s3_object_url},
            },
            outputs=outputs,
            vpc_config=vpc_config(self._environment.network),
        )
        prefix = job_name_prefix(self._project, self._model.name, program)
        return JobState(
            name=name,
            kind=JobKind.PROCESSING,
            request=request,
            job_name=f"States.Format('{prefix}-{{}}-0', {asl.EXECUTION_DIGEST})",
            limit_seconds=limit,
            keep={"ProcessingJobName.$": "$.ProcessingJobName"},
            next_state=next_state,
            failed="ExplainFailure",
        )

    def _train(self) -> JobState:
        prefix = job_name_prefix(self._project, self._model.name, "train")
        return JobState(
            name="Train",
            kind=JobKind.TRAINING,
            request=training_request(
                self._model,
                image_uri=self._image_uri,
                role_arn=self.execution_role.arn,
                key_arn=self._key.key_arn,
                vpc_config=vpc_config(self._environment.network),
            ),
            job_name=f"States.Format('{prefix}-{{}}-{{}}', {asl.EXECUTION_DIGEST}, $.try.attempt)",
            limit_seconds=(self._model.training.max_wait_minutes or self._model.training.max_runtime_minutes) * 60,
            keep={
                "TrainingJobName.$": "$.TrainingJobName",
                "TrainingJobArn.$": "$.TrainingJobArn",
                "ModelDataUrl.$": "$.ModelArtifacts.S3ModelArtifacts",
            },
            next_state="FindChampion",
            failed="TrainFailed",
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

    def _find_champion(self) -> State:
        return asl.invoke(
            self._partition,
            self._functions.find_champion.arn,
            {"environment": self._model.deploy.environments[-1], "endpointName": self._champion_endpoint},
            timeout_seconds=120,
            catch=asl.catch_all("ExplainFailure"),
            next_state="HasChampion",
            result_path="$.champion",
        )

    def _has_champion(self) -> dict[str, State]:
        exists = "$.champion.Payload.exists"
        return {
            "HasChampion": asl.choice(
                [
                    {"Variable": exists, "BooleanEquals": True, "Next": "EvaluateAgainstChampion"},
                    {"Variable": exists, "BooleanEquals": False, "Next": "Evaluate"},
                ],
                default="ChampionUnknown",
            ),
            "ChampionUnknown": {
                "Type": "Fail",
                "Error": "ChampionUnknown",
                "Cause": "it is not known whether a model is in service, so the new one cannot be compared with it",
            },
        }

    def _register(self) -> State:
        return asl.invoke(
            self._partition,
            self._functions.register_model.arn,
            {
                "run.$": "$.run",
                "model": self._model.name,
                "group": self._group_name,
                "imageUri": self._image_uri,
                "modelDataUrl.$": "$.train.ModelDataUrl",
                "trainingJobName.$": "$.train.TrainingJobName",
                "trainingJobArn.$": "$.train.TrainingJobArn",
                "evaluationUri.$": "States.Format('{}/evaluation/evaluation.json', $.base)",
                "dataVersion.$": "$.data.version",
                "dataUri.$": "States.Format('s3://{}/{}', $.data.bucket, $.data.key)",
                "codeVersion.$": "$.code.version",
                "registrationUri.$": "States.Format('{}/registration.json', $.base)",
            },
            timeout_seconds=180,
            catch=asl.catch_all("ExplainFailure"),
            next_state=None,
            result_path="$.registered",
        ) | {"OutputPath": "$.registered.Payload"}

    def _settings_asset(self) -> s3_assets.Asset:
        """The settings of the model as the file that its processing jobs read."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "settings.json"
            path.write_text(json.dumps(self._model.model_dump(mode="json"), sort_keys=True, indent=1))
            return s3_assets.Asset(self, "Settings", path=str(path))

    def _grant(self) -> None:
        stack, role, name = Stack.of(self), self._machine.role, self._model.name
        prefixes = {
            program: job_name_prefix(self._project, name, program) for program in ("prepare", "train", "evaluate")
        }
        allow_jobs(role, JobKind.PROCESSING, prefixes=[prefixes["prepare"], prefixes["evaluate"]])
        allow_jobs(role, JobKind.TRAINING, prefixes=[prefixes["train"]])
        role.allow_pass(self.execution_role)
        role.allow("s3:GetObjectVersion", on=self._data.arn_for_objects(self._model.data.key))
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
                )
            ],
        )
