"""Transform jobs of a model that answers files: their request, their states, and the role that they run as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.execution_roles import RUNS, SageMakerRole
from mlops_constructs.jobs import JobKind, JobState
from mlops_constructs.settings import Batch

VERIFIED: Final = "batch"
"""Folder of a run with the rows that verify its deployments, and the answers to them."""
FILES: Final = "the files of this one model's batches, which are named by whoever uploads them"
_STRATEGIES: Final = {"multi-record": "MultiRecord", "single-record": "SingleRecord"}


def transform_states(
    name: str,
    *,
    serving: Batch,
    partition: str,
    job_name: str,
    model_name: str,
    source: Mapping[str, Any],
    output: str,
    key_arn: str,
    instance_count: int,
    next_state: str,
) -> dict[str, State]:
    """Return the states of one transform job.

    Args:
        name: of the state.
        serving: how it answers.
        partition: of the ARNs.
        job_name: intrinsic function that gives the name of the job.
        model_name: path of the name of the SageMaker model.
        source: `S3DataSource` of the request.
        output: path or intrinsic function that gives the folder of the answers.
        key_arn: encrypts answers and volumes.
        instance_count: how many instances answer.
        next_state: after success; after a failure, `ExplainFailure`.

    """
    request = {
        "ModelName.$": model_name,
        "BatchStrategy": _STRATEGIES[serving.strategy],
        "MaxPayloadInMB": serving.max_payload_mb,
        "TransformInput": {
            "ContentType": "text/csv",
            "SplitType": "Line",
            "DataSource": {"S3DataSource": dict(source)},
        },
        "TransformOutput": {
            "S3OutputPath.$": output,
            "Accept": "text/csv",
            "AssembleWith": "Line",
            "KmsKeyId": key_arn,
        },
        "TransformResources": {
            "InstanceType": serving.instance_type,
            "InstanceCount": instance_count,
            "VolumeKmsKeyId": key_arn,
        },
    }
    return JobState(
        name=name,
        kind=JobKind.TRANSFORM,
        request=request,
        job_name=job_name,
        limit_seconds=serving.max_runtime_minutes * 60,
        keep={"TransformJobName.$": "$.TransformJobName"},
        next_state=next_state,
        failed="ExplainFailure",
    ).states(partition)


def job_name(prefix: str) -> str:
    """Return the intrinsic function of a job's name: the same for every attempt of an execution."""
    return f"States.Format('{prefix}-{{}}-0', {asl.EXECUTION_DIGEST})"


class BatchExecutionRole(SageMakerRole):
    """The role of the transform jobs of one model: its archives, the files of its batches, and their answers."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: str,
        environment: str,
        serving: Batch,
        data: s3.IBucket,
        artifacts: s3.IBucket,
        key: kms.IKey,
        repositories: Sequence[str],
    ) -> None:
        """Make the role for the batches of `environment`."""
        super().__init__(
            scope,
            construct_id,
            description=f"Batches of {model} in {environment}",
            repositories=repositories,
            log_groups=["/aws/sagemaker/TransformJobs"],
        )
        given, answered = f"{serving.input}/{environment}/*", f"{serving.output}/{environment}"
        tried = f"{model}/runs/*/{VERIFIED}/{environment}"
        self.allow("s3:GetObject", on=artifacts.arn_for_objects(f"{model}/runs/*/model.tar.gz"), because=RUNS)
        self.allow("s3:GetObject", on=artifacts.arn_for_objects(f"{tried}/in/*"), because=RUNS)
        self.allow("s3:PutObject", on=artifacts.arn_for_objects(f"{tried}/out/*"), because=RUNS)
        self.allow("s3:ListBucket", on=artifacts.bucket_arn, when={"StringLike": {"s3:prefix": [f"{tried}/in*"]}})
        read = [data.arn_for_objects(given), data.arn_for_objects(f"{answered}/requests/*")]
        self.allow("s3:GetObject", on=read, because=FILES)
        self.allow("s3:PutObject", on=data.arn_for_objects(f"{answered}/answers/*"), because=FILES)
        self.allow(
            "s3:ListBucket", on=data.bucket_arn, when={"StringLike": {"s3:prefix": [given, f"{answered}/requests/*"]}}
        )
        self.allow_use_of_key(key, write=True, via="s3")
        self.allow_network()
