"""The programs that prepare data and evaluate models, as processing jobs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.jobs import JobKind, JobState, processing_request
from mlops_constructs.names import job_name_prefix
from mlops_constructs.network import vpc_config
from mlops_constructs.settings import ModelSettings

INPUT_FOLDER = "/opt/ml/processing/input"


class ProcessingPrograms(Construct):
    """The programs and the settings of one model, uploaded once, and the states that run them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        model: ModelSettings,
        image_uri: str,
        code: Path,
        key: kms.IKey,
    ) -> None:
        """Upload the programs in the folder `code`, which run in `image_uri`."""
        super().__init__(scope, construct_id)
        self._project, self._model, self._image_uri = project, model, image_uri
        self._key = key
        self._code = s3_assets.Asset(self, "Code", path=str(code), exclude=["**/__pycache__", "*.pyc"])
        self._settings = self._settings_asset()

    @property
    def assets(self) -> list[s3_assets.Asset]:
        """What the role of the jobs has to read."""
        return [self._code, self._settings]

    def prepare(self, *, role_arn: str, next_state: str) -> dict[str, State]:
        """Return the states that check the data and split it, and pack what encodes the rows of requests."""
        parts = ("train", "validation", "test", "score", "requests", "preprocessor")
        return self._job(
            "Prepare",
            program="prepare",
            inputs={"raw": _folder("raw")},
            outputs={**{part: _folder(f"prepared/{part}") for part in parts}, "report": _folder("data-report")},
            role_arn=role_arn,
            next_state=next_state,
        )

    def evaluate(self, name: str, *, champion: bool, role_arn: str, next_state: str) -> dict[str, State]:
        """Return the states that judge the answers of the challenger, and of the champion if there is one."""
        inputs = {"test": _folder("prepared/test"), "challenger": _folder("scores/challenger")}
        if champion:
            inputs["champion"] = _folder("scores/champion")
            # The features of both, by name and order: models of other features cannot be compared on these rows.
            inputs["champion-report"] = {"S3Uri.$": "$.champion.Payload.dataReportUri"}
            inputs["report"] = _folder("data-report")
        return self._job(
            name,
            program="evaluate",
            inputs=inputs,
            outputs={"evaluation": _folder("evaluation")},
            role_arn=role_arn,
            next_state=next_state,
        )

    def job_name_prefixes(self) -> list[str]:
        """Return the prefixes of the names of all jobs."""
        return [self._prefix(program) for program in ("prepare", "evaluate")]

    def _prefix(self, program: str) -> str:
        return job_name_prefix(self._project, self._model.name, program)

    def _job(
        self,
        name: str,
        *,
        program: str,
        inputs: Mapping[str, State],
        outputs: Mapping[str, State],
        role_arn: str,
        next_state: str,
    ) -> dict[str, State]:
        settings = self._model.processing
        limit = settings.max_runtime_minutes * 60
        request = processing_request(
            image_uri=self._image_uri,
            role_arn=role_arn,
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
            vpc_config=vpc_config(self),
        )
        return JobState(
            name=name,
            kind=JobKind.PROCESSING,
            request=request,
            job_name=f"States.Format('{self._prefix(program)}-{{}}-0', {asl.EXECUTION_DIGEST})",
            limit_seconds=limit,
            keep={"ProcessingJobName.$": "$.ProcessingJobName"},
            next_state=next_state,
            failed="ExplainFailure",
        ).states(Stack.of(self).partition)

    def _settings_asset(self) -> s3_assets.Asset:
        """The settings of the model as the file that the programs read."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "settings.json"
            path.write_text(json.dumps(self._model.model_dump(mode="json"), indent=1))
            return s3_assets.Asset(self, "Settings", path=str(path))


def _folder(name: str) -> State:
    """A folder of the run."""
    return {"S3Uri.$": f"States.Format('{{}}/{name}', $.base)"}
