"""Resource types of SageMaker, CodePipeline and CodeBuild."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from mlops.rehearsal.cloudformation_resource import (
    Call,
    Made,
    Properties,
    ResourceFailedError,
    ResourceType,
    as_json,
    camel,
    pick,
    tag_changes,
)

_POLL_SECONDS = 0.1
_ENDPOINT_SECONDS = 600.0


class _SageMaker(ResourceType):
    """A SageMaker resource whose properties are those of its Create API."""

    noun: ClassVar[str]

    def create(self, call: Call, properties: Properties) -> Made:
        """Create it."""
        sagemaker = call.client("sagemaker")
        given = {**properties, str(self.name_property): call.name}
        answer = getattr(sagemaker, f"create_{_snake(self.noun)}")(**given)
        arn = answer[f"{self.noun}Arn"]
        made = Made(arn, {f"{self.noun}Arn": arn, str(self.name_property): call.name})
        call.begun(made)
        return made

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change the tags; everything else is another resource."""
        gone, tags = tag_changes(before, after)
        if gone:
            call.client("sagemaker").delete_tags(ResourceArn=made.physical_id, TagKeys=gone)
        if tags:
            call.client("sagemaker").add_tags(ResourceArn=made.physical_id, Tags=tags)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete it."""
        name = {str(self.name_property): made.attributes[str(self.name_property)]}
        getattr(call.client("sagemaker"), f"delete_{_snake(self.noun)}")(**name)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


class ModelPackageGroup(_SageMaker):
    """A group of model versions."""

    type_name = "AWS::SageMaker::ModelPackageGroup"
    name_property = "ModelPackageGroupName"
    properties = frozenset({"ModelPackageGroupName", "ModelPackageGroupDescription", "ModelPackageGroupPolicy", "Tags"})
    noun = "ModelPackageGroup"
    _policy = "ModelPackageGroupPolicy"

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the group, then put its policy."""
        made = super().create(call, {name: properties[name] for name in properties if name != self._policy})
        self._put_policy(call, made, {}, properties)
        return made

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change the tags and the policy."""
        self._put_policy(call, made, before, after)
        return super().update(call, made, before, after)

    def _put_policy(self, call: Call, made: Made, before: Properties, after: Properties) -> None:
        sagemaker, group = call.client("sagemaker"), made.attributes[str(self.name_property)]
        if self._policy in after and before.get(self._policy) != after[self._policy]:
            policy = as_json(after[self._policy])
            sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)
        elif self._policy in before and self._policy not in after:
            sagemaker.delete_model_package_group_policy(ModelPackageGroupName=group)


class Model(_SageMaker):
    """A model that endpoints can serve."""

    type_name = "AWS::SageMaker::Model"
    name_property = "ModelName"
    properties = frozenset(
        {
            "ModelName",
            "ExecutionRoleArn",
            "PrimaryContainer",
            "Containers",
            "VpcConfig",
            "EnableNetworkIsolation",
            "InferenceExecutionConfig",
            "Tags",
        }
    )
    noun = "Model"


class EndpointConfig(_SageMaker):
    """What an endpoint serves, and on what."""

    type_name = "AWS::SageMaker::EndpointConfig"
    name_property = "EndpointConfigName"
    properties = frozenset(
        {
            "EndpointConfigName",
            "ProductionVariants",
            "ShadowProductionVariants",
            "DataCaptureConfig",
            "KmsKeyId",
            "AsyncInferenceConfig",
            "ExecutionRoleArn",
            "VpcConfig",
            "EnableNetworkIsolation",
            "ExplainerConfig",
            "Tags",
        }
    )
    noun = "EndpointConfig"


class Endpoint(_SageMaker):
    """An endpoint; a stack waits until it is in service."""

    type_name = "AWS::SageMaker::Endpoint"
    name_property = "EndpointName"
    properties = frozenset(
        {
            "EndpointName",
            "EndpointConfigName",
            "DeploymentConfig",
            "RetainAllVariantProperties",
            "ExcludeRetainedVariantProperties",
            "RetainDeploymentConfig",
            "Tags",
        }
    )
    noun = "Endpoint"
    limits = (
        (
            "the status of a stack whose endpoint was rolled back by an alarm",
            "the update counts as complete, as users of CloudFormation and Terraform report; AWS does not document it",
        ),
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the endpoint and wait for it."""
        made = super().create(call, pick(properties, "EndpointName", "EndpointConfigName", "Tags"))
        self._wait(call, made)
        return made

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Move the endpoint to another configuration and wait for it."""
        super().update(call, made, before, after)
        watched = [name for name in after if name != "Tags" and before.get(name) != after[name]]
        if watched:
            given = pick(
                after,
                "EndpointConfigName",
                "DeploymentConfig",
                "RetainAllVariantProperties",
                "ExcludeRetainedVariantProperties",
                "RetainDeploymentConfig",
            )
            name = made.attributes["EndpointName"]
            call.client("sagemaker").update_endpoint(EndpointName=name, **given)
            self._wait(call, made)
        return made

    @staticmethod
    def _wait(call: Call, made: Made) -> None:
        deadline = time.monotonic() + _ENDPOINT_SECONDS
        rolled_back = False
        while time.monotonic() < deadline:
            endpoint = call.client("sagemaker").describe_endpoint(EndpointName=made.attributes["EndpointName"])
            status, reason = endpoint["EndpointStatus"], endpoint.get("FailureReason", "")
            rolled_back |= status == "RollingBack"
            if status == "InService" and not rolled_back and not reason:
                return
            if status in {"InService", "Failed", "UpdateRollbackFailed", "OutOfService"}:
                msg = f"Endpoint did not stabilize: it is {status}. {reason}".strip()
                raise ResourceFailedError(msg)
            time.sleep(_POLL_SECONDS)
        msg = f"Endpoint did not stabilize within {_ENDPOINT_SECONDS:.0f} seconds"
        raise ResourceFailedError(msg)


class Pipeline(ResourceType):
    """A delivery pipeline."""

    type_name = "AWS::CodePipeline::Pipeline"
    name_property = "Name"
    properties = frozenset(
        {
            "Name",
            "RoleArn",
            "ArtifactStore",
            "ArtifactStores",
            "Stages",
            "PipelineType",
            "ExecutionMode",
            "Variables",
            "Triggers",
            "RestartExecutionOnUpdate",
            "Tags",
        }
    )
    recorded: ClassVar[Mapping[str, str]] = {"DisableInboundStageTransitions": "transitions are never disabled here"}

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the pipeline; as in AWS, it starts its first execution by itself unless nothing could."""
        tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags", [])]
        structure = _pipeline(call.name, properties)
        answer = call.client("codepipeline").create_pipeline(pipeline=structure, **({"tags": tags} if tags else {}))
        return Made(
            call.name,
            {"Version": str(answer["pipeline"].get("version", 1)), "Arn": call.arn("codepipeline", call.name)},
        )

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change the structure and the tags."""
        codepipeline = call.client("codepipeline")
        answer = codepipeline.update_pipeline(pipeline=_pipeline(made.physical_id, after))
        gone, tags = tag_changes(before, after)
        if gone:
            codepipeline.untag_resource(resourceArn=made.attributes["Arn"], tagKeys=gone)
        if tags:
            lower = [{"key": tag["Key"], "value": tag["Value"]} for tag in tags]
            codepipeline.tag_resource(resourceArn=made.attributes["Arn"], tags=lower)
        return Made(made.physical_id, {**made.attributes, "Version": str(answer["pipeline"].get("version", 1))})

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the pipeline."""
        call.client("codepipeline").delete_pipeline(name=made.physical_id)


def _pipeline(name: str, properties: Properties) -> dict[str, Any]:
    names = ("RoleArn", "ArtifactStore", "Stages", "PipelineType", "ExecutionMode", "Variables", "Triggers")
    structure: dict[str, Any] = camel(pick(properties, *names), keep=frozenset({"Configuration"}))
    structure["name"] = name
    if "ArtifactStores" in properties:
        stores = properties["ArtifactStores"]
        structure["artifactStores"] = {store["Region"]: camel(store["ArtifactStore"]) for store in stores}
    for stage in structure["stages"]:
        for action in stage["actions"]:
            if "configuration" in action:
                pairs = action["configuration"].items()
                action["configuration"] = {key: _configuration_text(value) for key, value in pairs}
    return structure


def _configuration_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_PROJECT_ONLY_HERE = frozenset({"Triggers", "Visibility", "ResourceAccessRole", "BadgeEnabled", "AutoRetryLimit"})


class Project(ResourceType):
    """A build project."""

    type_name = "AWS::CodeBuild::Project"
    name_property = "Name"
    properties = frozenset(
        {
            "Name",
            "Description",
            "ServiceRole",
            "Source",
            "SecondarySources",
            "SourceVersion",
            "SecondarySourceVersions",
            "Artifacts",
            "SecondaryArtifacts",
            "Environment",
            "EncryptionKey",
            "TimeoutInMinutes",
            "QueuedTimeoutInMinutes",
            "ConcurrentBuildLimit",
            "Cache",
            "LogsConfig",
            "VpcConfig",
            "FileSystemLocations",
            "BuildBatchConfig",
            "Tags",
        }
    )
    recorded: ClassVar[Mapping[str, str]] = {
        "Visibility": "a public build page has no counterpart here",
        "BadgeEnabled": "a badge has no counterpart here",
        "AutoRetryLimit": "a build is tried once here",
    }

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the project."""
        answer = call.client("codebuild").create_project(name=call.name, **_project(properties))
        return Made(call.name, {"Arn": answer["project"]["arn"], "Id": call.name})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Change the project."""
        call.client("codebuild").update_project(name=made.physical_id, **_project(after))
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the project."""
        call.client("codebuild").delete_project(name=made.physical_id)


def _project(properties: Properties) -> dict[str, Any]:
    kept = {name: value for name, value in properties.items() if name not in _PROJECT_ONLY_HERE | {"Name", "Tags"}}
    given: dict[str, Any] = camel(kept)
    for source in (given["source"], *given.get("secondarySources", [])):
        if "buildSpec" in source:
            source["buildspec"] = source.pop("buildSpec")
        if "gitSubmodulesConfig" in source:
            source["gitSubmodulesConfig"] = {"fetchSubmodules": source["gitSubmodulesConfig"]["fetchSubmodules"]}
    given["tags"] = [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags", [])]
    return given
