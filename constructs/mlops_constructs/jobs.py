"""SageMaker jobs as states: start, wait through the native `.sync` integration, adopt after a lost answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from aws_cdk import Stack

from mlops_constructs import asl
from mlops_constructs.asl import State
from mlops_constructs.names import EXECUTION_DIGEST_LENGTH
from mlops_constructs.roles import ServiceRole

ADOPTION_POLL_SECONDS = 60
QUEUE_SLACK_SECONDS = 1800
"""Time that a job may take beyond its own limit: waiting for an instance, download, upload."""


@dataclass(frozen=True)
class _JobApi:
    noun: str
    resource: str
    """Resource type in an ARN."""

    @property
    def create(self) -> str:
        return f"create{self.noun}"

    @property
    def describe(self) -> str:
        return f"describe{self.noun}"

    @property
    def name_key(self) -> str:
        return f"{self.noun}Name"

    @property
    def status_path(self) -> str:
        return f"{self.noun}Status"


class JobKind(Enum):
    """A kind of SageMaker job with the names that its API uses."""

    PROCESSING = _JobApi("ProcessingJob", "processing-job")
    TRAINING = _JobApi("TrainingJob", "training-job")
    TRANSFORM = _JobApi("TransformJob", "transform-job")


@dataclass(frozen=True, kw_only=True)
class JobState:
    """A job in a state machine.

    Attributes:
        name: of the state; the result goes to `$.<name in lower case>`.
        kind: training, processing or transform.
        request: the Create request without the job's name.
        job_name: intrinsic function that gives the job's name, the same for every attempt to start the same job.
        limit_seconds: the job's own time limit.
        keep: what is kept of the Describe answer, as a ResultSelector.
        next_state: after success.
        failed: after failure; the error is at `$.failure`.

    """

    name: str
    kind: JobKind
    request: Mapping[str, Any]
    job_name: str
    limit_seconds: int
    keep: Mapping[str, str]
    next_state: str
    failed: str

    def states(self, partition: str) -> dict[str, State]:
        """Return the states: the job itself and the adoption of a job that an earlier, unanswered call started.

        SageMaker has no client token for jobs, so the name is the only idempotency key: the retry of a call whose
        answer was lost meets `ResourceInUse`, and then waits for the job that is already there. Its result, or the
        cause of its failure, is read when it has ended: a running job has no model yet.
        """
        api, adopt = self.kind.value, f"{self.name}Adopt"
        catch = [
            {"ErrorEquals": ["SageMaker.ResourceInUseException"], "ResultPath": "$.failure", "Next": adopt},
            *asl.catch_all(self.failed),
        ]
        result_path = f"$.{self.name.lower()}"
        return {
            self.name: asl.task(
                f"arn:{partition}:states:::sagemaker:{api.create}.sync",
                {f"{api.name_key}.$": self.job_name, **self.request},
                timeout_seconds=self.limit_seconds + QUEUE_SLACK_SECONDS,
                catch=catch,
                next_state=self.next_state,
                result_path=result_path,
                result_selector=self.keep,
            ),
            adopt: self._describe(
                partition, {"Status.$": f"$.{api.status_path}"}, result_path=result_path, next_state=f"{adopt}edStatus"
            ),
            f"{adopt}edStatus": asl.choice(
                [
                    {"Variable": f"{result_path}.Status", "StringEquals": status, "Next": next_state}
                    for status, next_state in (
                        ("Completed", f"{adopt}edResult"),
                        ("InProgress", f"{adopt}Wait"),
                        ("Stopping", f"{adopt}Wait"),
                    )
                ],
                default=f"{adopt}edFailure",
            ),
            f"{adopt}Wait": asl.wait(ADOPTION_POLL_SECONDS, next_state=adopt),
            f"{adopt}edResult": self._describe(
                partition, self.keep, result_path=result_path, next_state=self.next_state
            ),
            # In the words in which the native integration tells of a failed job.
            f"{adopt}edFailure": self._describe(
                partition,
                {"Error": "States.TaskFailed", "Cause.$": "States.JsonToString($)"},
                result_path="$.failure",
                next_state=self.failed,
            ),
        }

    def _describe(self, partition: str, keep: Mapping[str, str], *, result_path: str, next_state: str) -> State:
        api = self.kind.value
        return asl.task(
            f"arn:{partition}:states:::aws-sdk:sagemaker:{api.describe}",
            {f"{api.name_key}.$": self.job_name},
            timeout_seconds=60,
            catch=asl.catch_all(self.failed),
            next_state=next_state,
            result_path=result_path,
            result_selector=keep,
        )


def allow_jobs(role: ServiceRole, kind: JobKind, *, prefixes: Sequence[str]) -> None:
    """Let a state machine run jobs through `.sync` that are named by a prefix, its execution and an attempt."""
    stack = Stack.of(role)
    api = kind.value.noun
    # `?` for each character of digest and attempt: `*` would also fit the jobs of a model whose name begins alike.
    names = [f"{prefix}-{'?' * EXECUTION_DIGEST_LENGTH}-?" for prefix in prefixes]
    role.allow(
        f"sagemaker:Create{api}",
        f"sagemaker:Describe{api}",
        f"sagemaker:Stop{api}",
        # Step Functions marks the jobs that it starts with a tag of its own.
        "sagemaker:AddTags",
        on=[stack.format_arn(service="sagemaker", resource=kind.value.resource, resource_name=name) for name in names],
        because="the jobs of this one model, which are named by the execution that starts them",
    )
    # Step Functions learns of the end of a job through a rule of its own:
    # https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
    rule = stack.format_arn(
        service="events", resource="rule", resource_name=f"StepFunctionsGetEventsForSageMaker{api}sRule"
    )
    role.allow("events:PutTargets", "events:PutRule", "events:DescribeRule", on=rule)


def processing_request(
    *,
    image_uri: str,
    role_arn: str,
    key_arn: str,
    instance_type: str,
    volume_gb: int,
    limit_seconds: int,
    arguments: Sequence[str],
    inputs: Mapping[str, State],
    outputs: Mapping[str, State],
    vpc_config: Mapping[str, Any] | None,
) -> State:
    """Return a CreateProcessingJob request that runs `python3 <arguments>` in `image_uri`, without network.

    Args:
        image_uri: container image.
        role_arn: execution role.
        key_arn: encrypts volume and outputs.
        instance_type: one instance of this type.
        volume_gb: size of its volume.
        limit_seconds: after which SageMaker stops the job.
        arguments: program and its arguments.
        inputs: local folder below /opt/ml/processing/input -> {"S3Uri" or "S3Uri.$": ...}.
        outputs: local folder below /opt/ml/processing/output -> {"S3Uri" or "S3Uri.$": ...}.
        vpc_config: {"Subnets": [...], "SecurityGroupIds": [...]} or None.

    """
    network: State = {"EnableNetworkIsolation": True, "EnableInterContainerTrafficEncryption": True}
    if vpc_config:
        network["VpcConfig"] = dict(vpc_config)
    return {
        "RoleArn": role_arn,
        "AppSpecification": {"ImageUri": image_uri, "ContainerEntrypoint": ["python3", *arguments]},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": instance_type,
                "VolumeSizeInGB": volume_gb,
                "VolumeKmsKeyId": key_arn,
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": limit_seconds},
        "NetworkConfig": network,
        "ProcessingInputs": [
            {
                "InputName": folder,
                "S3Input": {
                    **source,
                    "LocalPath": f"/opt/ml/processing/input/{folder}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for folder, source in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "KmsKeyId": key_arn,
            "Outputs": [
                {
                    "OutputName": folder,
                    "S3Output": {
                        **target,
                        "LocalPath": f"/opt/ml/processing/output/{folder}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for folder, target in outputs.items()
            ],
        },
    }
