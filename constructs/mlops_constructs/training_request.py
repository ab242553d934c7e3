"""The CreateTrainingJob request of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_constructs.asl import State
from mlops_constructs.settings import ModelSettings


def training_request(
    model: ModelSettings,
    *,
    role_arn: str,
    key_arn: str,
    vpc_config: Mapping[str, Any] | None,
) -> State:
    """Return the request, without the job's name, that trains `model` on what the run has prepared.

    The image is `$.image`, the instance type the one at `$.try.attempt` of `$.instanceTypes`.
    """
    training = model.training
    stopping: dict[str, int] = {"MaxRuntimeInSeconds": training.max_runtime_minutes * 60}
    request: State = {
        "RoleArn": role_arn,
        "AlgorithmSpecification": {"TrainingImage.$": "$.image", "TrainingInputMode": "File"},
        "HyperParameters": model.hyperparameters,
        "InputDataConfig": [_channel("train"), _channel("validation")],
        "OutputDataConfig": {"S3OutputPath.$": "States.Format('{}/model', $.base)", "KmsKeyId": key_arn},
        "ResourceConfig": {
            "InstanceType.$": "States.ArrayGetItem($.instanceTypes, $.try.attempt)",
            "InstanceCount": training.instance_count,
            "VolumeSizeInGB": training.volume_gb,
            "VolumeKmsKeyId": key_arn,
        },
        "StoppingCondition": stopping,
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": training.instance_count > 1,
    }
    if training.spot:
        stopping["MaxWaitTimeInSeconds"] = (training.max_wait_minutes or training.max_runtime_minutes) * 60
        request["EnableManagedSpotTraining"] = True
        request["CheckpointConfig"] = {"S3Uri.$": "States.Format('{}/checkpoints', $.base)"}
    if vpc_config:
        request["VpcConfig"] = dict(vpc_config)
    return request


def _channel(name: str) -> State:
    return {
        "ChannelName": name,
        "ContentType": "text/csv",
        "InputMode": "File",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3DataDistributionType": "FullyReplicated",
                "S3Uri.$": f"States.Format('{{}}/prepared/{name}', $.base)",
            }
        },
    }
