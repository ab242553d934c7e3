"""The states of a training workflow that a candidate starts: read what was handed over, and judge that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from aws_cdk import aws_s3 as s3

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.execution_roles import RUNS
from mlops_constructs.roles import ServiceRole
from mlops_constructs.settings import ModelSettings, Promote

CANDIDATES = "the candidates of this one model, which the intake names by their versions"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A candidate that the intake has taken: its manifest names the data, the model and what was measured."""

    partition: str
    model: str
    manifest_key: str
    promotes_model: bool
    """False: only its data go on, and the pipeline trains again."""
    tolerance: float
    data: s3.IBucket
    artifacts: s3.IBucket

    @classmethod
    def of(cls, model: ModelSettings, *, partition: str, data: s3.IBucket, artifacts: s3.IBucket) -> Self | None:
        """Return the candidate of `model`; None where no candidates are handed over."""
        if model.handover is None:
            return None
        return cls(
            partition=partition,
            model=model.name,
            manifest_key=model.trigger_key,
            promotes_model=model.handover.promote == Promote.MODEL,
            tolerance=model.handover.tolerance,
            data=data,
            artifacts=artifacts,
        )

    @property
    def state(self) -> dict[str, str]:
        """The candidate and its data as fields of a state."""
        manifest = "$.candidate.manifest"
        return {"candidate.$": manifest, "data.$": f"{manifest}.data"}

    @property
    def provenance(self) -> dict[str, str]:
        """What the registry is told of where the model comes from."""
        return {"candidate.$": "$.candidate.candidate", "trainedBy.$": "$.candidate.trainedBy"}

    @property
    def claims(self) -> dict[str, Any]:
        """What the metric gate is told of the data scientist's own measurements."""
        return {"claimed": {"metrics.$": "$.candidate.metrics", "tolerance": self.tolerance}}

    def read(self, *, next_state: str) -> dict[str, State]:
        """Return the state that reads the manifest, in the very version that started the run."""
        return {
            "ReadCandidate": asl.task(
                f"arn:{self.partition}:states:::aws-sdk:s3:getObject",
                {"Bucket.$": "$.data.bucket", "Key.$": "$.data.key", "VersionId.$": "$.data.version"},
                timeout_seconds=60,
                catch=asl.catch_all("ExplainFailure"),
                next_state=next_state,
                result_path="$.candidate",
                result_selector={"manifest.$": "States.StringToJson($.Body)"},
            )
        }

    def adopt(self, *, next_state: str) -> dict[str, State]:
        """Return the states that take the candidate's model for the one of this run."""
        place = "model/candidate/output/model.tar.gz"
        return {
            "AdoptModel": asl.task(
                f"arn:{self.partition}:states:::aws-sdk:s3:copyObject",
                {
                    "Bucket": self.artifacts.bucket_name,
                    "Key.$": f"States.Format('{{}}/{place}', $.folder)",
                    "CopySource.$": "States.Format('{}/{}?versionId={}', $.candidate.model.bucket, "
                    "$.candidate.model.key, $.candidate.model.version)",
                    "TaggingDirective": "REPLACE",
                },
                timeout_seconds=900,
                catch=asl.catch_all("ExplainFailure"),
                next_state="ModelAdopted",
                result_path="$.adopted",
                result_selector={"VersionId.$": "$.VersionId"},
            ),
            "ModelAdopted": asl.assign(
                {
                    "ModelDataUrl.$": f"States.Format('{{}}/{place}', $.base)",
                    "TrainingJobName.$": "$.candidate.trainingJobName",
                    "TrainingJobArn.$": "$.candidate.trainingJobArn",
                },
                result_path="$.train",
                next_state=next_state,
            ),
        }

    def grant(self, role: ServiceRole) -> None:
        """Let the workflow read the candidates, and put the model among the files of the run."""
        files = ["data.csv", "model.tar.gz"] if self.promotes_model else ["data.csv"]
        role.allow("s3:GetObjectVersion", on=self.data.arn_for_objects(self.manifest_key))
        role.allow(
            "s3:GetObjectVersion",
            on=[self.data.arn_for_objects(f"{self.model}/candidates/*/{file}") for file in files],
            because=CANDIDATES,
        )
        if self.promotes_model:
            adopted = self.artifacts.arn_for_objects(f"{self.model}/runs/*/model/candidate/output/model.tar.gz")
            role.allow("s3:PutObject", on=adopted, because=RUNS)
