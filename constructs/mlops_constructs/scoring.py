"""Scoring: each model answers the held-out rows through its own serving container, in a batch transform job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.jobs import JobKind, JobState, allow_jobs
from mlops_constructs.names import EXECUTION_DIGEST_LENGTH, job_name_prefix
from mlops_constructs.roles import ServiceRole
from mlops_constructs.settings import ModelSettings

PAYLOAD_MB = 6
"""The largest request: what a real-time endpoint takes too."""
_FAILED = "ScoringFailed"


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """The states that let challenger and champion, each in its own image, answer the rows of `prepared/score`."""

    partition: str
    project: str
    model: ModelSettings
    role_arn: str
    key_arn: str
    vpc_config: Mapping[str, Any] | None

    def states(self, *, alone: str, both: str) -> dict[str, State]:
        """Return the states; `alone` follows when there is no champion, `both` when there is one.

        Enter at `ScoreChallenger` or `ScoreBoth`. The answers of a contender are `scores/<contender>/test.csv.out`.
        """
        challenger = {"name": "challenger", "index": "0", "image.$": "$.image", "data.$": "$.train.ModelDataUrl"}
        champion = {
            "name": "champion",
            "index": "1",
            "image.$": "$.champion.Payload.imageUri",
            "data.$": "$.champion.Payload.modelDataUrl",
        }
        return {
            "ScoreChallenger": asl.assign({"all": [challenger]}, result_path="$.contenders", next_state="Score"),
            "ScoreBoth": asl.assign({"all": [challenger, champion]}, result_path="$.contenders", next_state="Score"),
            "Score": {
                "Type": "Map",
                # One after the other: Step Functions ends the others when one fails, before they delete their model.
                "MaxConcurrency": 1,
                "ItemsPath": "$.contenders.all",
                "ItemSelector": {
                    "base.$": "$.base",
                    "name.$": "$$.Map.Item.Value.name",
                    "index.$": "$$.Map.Item.Value.index",
                    "image.$": "$$.Map.Item.Value.image",
                    "data.$": "$$.Map.Item.Value.data",
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "CreateModel",
                    "States": self._contender(),
                },
                "ResultPath": "$.scores",
                "ResultSelector": {"count.$": "States.ArrayLength($)"},
                "Catch": [
                    {"ErrorEquals": [_FAILED], "ResultPath": "$.failure", "Next": "ScoreCause"},
                    *asl.catch_all("ExplainFailure"),
                ],
                "Next": "Scored",
            },
            # What went wrong inside the Map, as the failing state itself has told it.
            "ScoreCause": asl.assign(
                {"told.$": "States.StringToJson($.failure.Cause)"},
                result_path="$.scoreFailure",
                next_state="ScoreFailed",
            ),
            "ScoreFailed": {
                "Type": "Pass",
                "InputPath": "$.scoreFailure.told",
                "ResultPath": "$.failure",
                "Next": "ExplainFailure",
            },
            "Scored": asl.choice(
                [
                    {"Variable": "$.scores.count", "NumericEquals": 1, "Next": alone},
                    {"Variable": "$.scores.count", "NumericEquals": 2, "Next": both},
                ],
                default="ScoresUnknown",
            ),
            "ScoresUnknown": {
                "Type": "Fail",
                "Error": "ScoresUnknown",
                "Cause": "it is not known which models have answered the held-out rows, so none can be judged by them",
            },
        }

    def grant(self, role: ServiceRole) -> None:
        """Let a state machine make the models, run the jobs and delete the models again."""
        allow_jobs(role, JobKind.TRANSFORM, prefixes=[self._prefix("score")])
        name = f"{self._prefix('contender')}-{'?' * EXECUTION_DIGEST_LENGTH}-?"
        role.allow(
            "sagemaker:CreateModel",
            "sagemaker:DeleteModel",
            on=Stack.of(role).format_arn(service="sagemaker", resource="model", resource_name=name),
            because="the models that exist only while this one model's runs are scored; the execution names them",
        )

    def _prefix(self, what: str) -> str:
        return job_name_prefix(self.project, self.model.name, what)

    def _contender(self) -> dict[str, State]:
        return {
            "CreateModel": asl.task(
                f"arn:{self.partition}:states:::sagemaker:createModel",
                {
                    "ModelName.$": self._name("contender"),
                    "ExecutionRoleArn": self.role_arn,
                    "EnableNetworkIsolation": True,
                    "PrimaryContainer": {"Image.$": "$.image", "ModelDataUrl.$": "$.data"},
                    **({"VpcConfig": dict(self.vpc_config)} if self.vpc_config else {}),
                },
                timeout_seconds=120,
                catch=asl.catch_all("CreateModelFailed"),
                next_state="Transform",
                result_path="$.created",
                result_selector={"ModelArn.$": "$.ModelArn"},
            ),
            # The retry of a call whose answer was lost meets the model that this very execution has made.
            "CreateModelFailed": _unless("already existing model", next_state="Transform"),
            **JobState(
                name="Transform",
                kind=JobKind.TRANSFORM,
                request=self._request(),
                job_name=self._name("score"),
                limit_seconds=self.model.processing.max_runtime_minutes * 60,
                keep={"TransformJobName.$": "$.TransformJobName"},
                next_state="DeleteModel",
                failed="DiscardModel",
            ).states(self.partition),
            "DeleteModel": self._delete(
                next_state=None, failed="DeleteModelFailed", error_path="$.failure", result_path="$.deleted"
            ),
            # And the retry of a deletion finds nothing to delete.
            "DeleteModelFailed": _unless("Could not find model", next_state="Deleted"),
            "Deleted": {"Type": "Succeed"},
            # The job has failed: that is the cause to tell, whether or not its model can be deleted.
            "DiscardModel": self._delete(
                next_state="ContenderFailed",
                failed="ContenderFailed",
                error_path="$.undeleted",
                result_path="$.discarded",
            ),
            # Not under its own name: a Fail state may not use those that begin with "States.", and a timeout has no
            # cause.
            "ContenderFailed": {"Type": "Fail", "Error": _FAILED, "CausePath": "States.JsonToString($.failure)"},
        }

    def _name(self, what: str) -> str:
        return f"States.Format('{self._prefix(what)}-{{}}-{{}}', {asl.EXECUTION_DIGEST}, $.index)"

    def _delete(self, *, next_state: str | None, failed: str, error_path: str, result_path: str) -> State:
        return asl.task(
            f"arn:{self.partition}:states:::aws-sdk:sagemaker:deleteModel",
            {"ModelName.$": self._name("contender")},
            timeout_seconds=120,
            catch=asl.catch_all(failed, result_path=error_path),
            next_state=next_state,
            result_path=result_path,
        )

    def _request(self) -> State:
        processing = self.model.processing
        return {
            "ModelName.$": self._name("contender"),
            "BatchStrategy": "MultiRecord",
            "MaxPayloadInMB": PAYLOAD_MB,
            "TransformInput": {
                "ContentType": "text/csv",
                "SplitType": "Line",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri.$": "States.Format('{}/prepared/score', $.base)",
                    }
                },
            },
            "TransformOutput": {
                "S3OutputPath.$": "States.Format('{}/scores/{}', $.base, $.name)",
                "Accept": "text/csv",
                "AssembleWith": "Line",
                "KmsKeyId": self.key_arn,
            },
            "TransformResources": {
                "InstanceType": processing.instance_type,
                "InstanceCount": 1,
                "VolumeKmsKeyId": self.key_arn,
            },
        }


def _unless(cause: str, *, next_state: str) -> State:
    """Return a Choice after an error: `next_state` if its cause holds the text `cause`, else the failure."""
    return asl.choice(
        [
            {
                "And": [
                    {"Variable": "$.failure.Cause", "IsPresent": True},
                    {"Variable": "$.failure.Cause", "StringMatches": f"*{cause}*"},
                ],
                "Next": next_state,
            }
        ],
        default="ContenderFailed",
    )
