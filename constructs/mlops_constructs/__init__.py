"""Reusable constructs for machine-learning pipelines on Amazon SageMaker.

The settings (`mlops_constructs.settings`) do not need aws_cdk, so the constructs are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_constructs.bring_your_own_container_pipeline import BringYourOwnContainerPipeline
    from mlops_constructs.build_project import BuildProject
    from mlops_constructs.built_in_algorithm_pipeline import BuiltInAlgorithmPipeline
    from mlops_constructs.cross_account_pipeline import CrossAccountPipeline
    from mlops_constructs.deployment_role import DeploymentRole
    from mlops_constructs.deployment_target import DeploymentTarget
    from mlops_constructs.encryption import DataKey
    from mlops_constructs.execution_roles import EndpointExecutionRole, JobExecutionRole
    from mlops_constructs.functions import WorkflowFunction
    from mlops_constructs.image_build import ImageBuild, ImageRepository
    from mlops_constructs.messaging import DeadLetterQueue, DeliveredRule, Notifications
    from mlops_constructs.model_endpoint import ModelEndpoint
    from mlops_constructs.model_pipeline import ModelPipeline
    from mlops_constructs.model_recipe import ModelRecipe
    from mlops_constructs.model_registry import ModelRegistry
    from mlops_constructs.private_network import PrivateNetwork
    from mlops_constructs.quality_gate import QualityGate
    from mlops_constructs.release_workflow import ReleaseWorkflow
    from mlops_constructs.roles import ServiceRole
    from mlops_constructs.security_gate import SecurityGate
    from mlops_constructs.served_model import ModelVersion
    from mlops_constructs.service_endpoints import ServiceEndpoints
    from mlops_constructs.shared_resources import SharedResources
    from mlops_constructs.storage import AccessLogBucket, EncryptedBucket
    from mlops_constructs.training_workflow import TrainingWorkflow
    from mlops_constructs.verification_workflow import VerificationWorkflow

_MODULES = {
    "AccessLogBucket": "storage",
    "BringYourOwnContainerPipeline": "bring_your_own_container_pipeline",
    "BuildProject": "build_project",
    "BuiltInAlgorithmPipeline": "built_in_algorithm_pipeline",
    "CrossAccountPipeline": "cross_account_pipeline",
    "DataKey": "encryption",
    "DeadLetterQueue": "messaging",
    "DeliveredRule": "messaging",
    "DeploymentRole": "deployment_role",
    "DeploymentTarget": "deployment_target",
    "EncryptedBucket": "storage",
    "EndpointExecutionRole": "execution_roles",
    "ImageBuild": "image_build",
    "ImageRepository": "image_build",
    "JobExecutionRole": "execution_roles",
    "ModelEndpoint": "model_endpoint",
    "ModelPipeline": "model_pipeline",
    "ModelRecipe": "model_recipe",
    "ModelRegistry": "model_registry",
    "ModelVersion": "served_model",
    "Notifications": "messaging",
    "PrivateNetwork": "private_network",
    "QualityGate": "quality_gate",
    "ReleaseWorkflow": "release_workflow",
    "SecurityGate": "security_gate",
    "ServiceEndpoints": "service_endpoints",
    "ServiceRole": "roles",
    "SharedResources": "shared_resources",
    "TrainingWorkflow": "training_workflow",
    "VerificationWorkflow": "verification_workflow",
    "WorkflowFunction": "functions",
}

__all__ = [
    "AccessLogBucket",
    "BringYourOwnContainerPipeline",
    "BuildProject",
    "BuiltInAlgorithmPipeline",
    "CrossAccountPipeline",
    "DataKey",
    "DeadLetterQueue",
    "DeliveredRule",
    "DeploymentRole",
    "DeploymentTarget",
    "EncryptedBucket",
    "EndpointExecutionRole",
    "ImageBuild",
    "ImageRepository",
    "JobExecutionRole",
    "ModelEndpoint",
    "ModelPipeline",
    "ModelRecipe",
    "ModelRegistry",
    "ModelVersion",
    "Notifications",
    "PrivateNetwork",
    "QualityGate",
    "ReleaseWorkflow",
    "SecurityGate",
    "ServiceEndpoints",
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
