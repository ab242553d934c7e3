"""Reusable constructs for machine-learning pipelines on Amazon SageMaker.

The settings (`mlops_constructs.settings`) do not need aws_cdk, so the constructs are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_constructs.build_project import BuildProject
    from mlops_constructs.built_in_algorithm_pipeline import BuiltInAlgorithmPipeline, SharedResources
    from mlops_constructs.deployment_role import DeploymentRole
    from mlops_constructs.encryption import DataKey
    from mlops_constructs.execution_roles import EndpointExecutionRole, JobExecutionRole
    from mlops_constructs.functions import WorkflowFunction
    from mlops_constructs.messaging import DeadLetterQueue, DeliveredRule, Notifications
    from mlops_constructs.model_endpoint import ModelEndpoint, ModelVersion
    from mlops_constructs.model_pipeline import ModelPipeline
    from mlops_constructs.model_registry import ModelRegistry
    from mlops_constructs.quality_gate import QualityGate
    from mlops_constructs.roles import ServiceRole
    from mlops_constructs.storage import AccessLogBucket, EncryptedBucket
    from mlops_constructs.training_workflow import TrainingWorkflow
    from mlops_constructs.verification_workflow import VerificationWorkflow

_MODULES = {
    "AccessLogBucket": "storage",
    "BuildProject": "build_project",
    "BuiltInAlgorithmPipeline": "built_in_algorithm_pipeline",
    "DataKey": "encryption",
    "DeadLetterQueue": "messaging",
    "DeliveredRule": "messaging",
    "DeploymentRole": "deployment_role",
    "EncryptedBucket": "storage",
    "EndpointExecutionRole": "execution_roles",
    "JobExecutionRole": "execution_roles",
    "ModelEndpoint": "model_endpoint",
    "ModelPipeline": "model_pipeline",
    "ModelRegistry": "model_registry",
    "ModelVersion": "model_endpoint",
    "Notifications": "messaging",
    "QualityGate": "quality_gate",
    "ServiceRole": "roles",
    "SharedResources": "built_in_algorithm_pipeline",
    "TrainingWorkflow": "training_workflow",
    "VerificationWorkflow": "verification_workflow",
    "WorkflowFunction": "functions",
}

__all__ = [
    "AccessLogBucket",
    "BuildProject",
    "BuiltInAlgorithmPipeline",
    "DataKey",
    "DeadLetterQueue",
    "DeliveredRule",
    "DeploymentRole",
    "EncryptedBucket",
    "EndpointExecutionRole",
    "JobExecutionRole",
    "ModelEndpoint",
    "ModelPipeline",
    "ModelRegistry",
    "ModelVersion",
    "Notifications",
    "QualityGate",
    "ServiceRole",
    "SharedResources",
    "TrainingWorkflow",
    "VerificationWorkflow",
    "WorkflowFunction",
]


def __getattr__(name: str) -> Any:
    """Import the module of a public construct when it is first asked for."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
