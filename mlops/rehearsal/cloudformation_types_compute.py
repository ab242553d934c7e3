"""Resource types of Lambda."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any, ClassVar

from mlops.rehearsal.cloudformation_resource import (
    Call,
    Made,
    Properties,
    ResourceType,
    pick,
    tag_changes,
    tag_map,
)

_CONFIGURATION = (
    "Role",
    "Handler",
    "Runtime",
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "VpcConfig",
    "DeadLetterConfig",
    "TracingConfig",
    "Layers",
    "EphemeralStorage",
    "LoggingConfig",
    "ImageConfig",
    "FileSystemConfigs",
)


class Function(ResourceType):
    """A Lambda function."""

    type_name = "AWS::Lambda::Function"
    name_property = "FunctionName"
    properties = frozenset(
        {
            "FunctionName",
            "Code",
            "Architectures",
            "PackageType",
            "KmsKeyArn",
            "Tags",
            "ReservedConcurrentExecutions",
            *_CONFIGURATION,
        }
    )
    recorded: ClassVar[Mapping[str, str]] = {
        "SnapStart": "no snapshots are taken of a process here",
        "RuntimeManagementConfig": "the runtime is the Python of this machine",
        "RecursiveLoop": "loops between services are not detected here",
    }

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the function from its asset or its inline code."""
        lambda_ = call.client("lambda")
        given = pick(properties, *_CONFIGURATION, "Architectures", "PackageType")
        if "KmsKeyArn" in properties:
            given["KMSKeyArn"] = properties["KmsKeyArn"]
        code = _code(properties["Code"], properties)
        tags = tag_map(properties.get("Tags"))
        function = lambda_.create_function(
            FunctionName=call.name, Code=code, **given, **({"Tags": tags} if tags else {})
        )
        made = Made(call.name, {"Arn": function["FunctionArn"]})
        call.begun(made)
        self._concurrency(lambda_, made, {}, properties)
        return made

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change code, configuration, concurrency and tags."""
        lambda_, name = call.client("lambda"), {"FunctionName": made.physical_id}
        if before["Code"] != after["Code"] or before.get("Architectures") != after.get("Architectures"):
            lambda_.update_function_code(**name, **_code(after["Code"], after), **pick(after, "Architectures"))
        changed = {key: after[key] for key in _CONFIGURATION if key in after and before.get(key) != after[key]}
        gone = {key: _EMPTY[key] for key in _EMPTY if key in before and key not in after}
        if before.get("KmsKeyArn") != after.get("KmsKeyArn"):
            changed["KMSKeyArn"] = after.get("KmsKeyArn", "")
        if changed or gone:
            lambda_.update_function_configuration(**name, **changed, **gone)
        self._concurrency(lambda_, made, before, after)
        removed, tags = tag_changes(before, after)
        if removed:
            lambda_.untag_resource(Resource=made.attributes["Arn"], TagKeys=removed)
        if tags:
            lambda_.tag_resource(Resource=made.attributes["Arn"], Tags=tag_map(tags))
        return made

    @staticmethod
    def _concurrency(lambda_: Any, made: Made, before: Properties, after: Properties) -> None:
        reserved = after.get("ReservedConcurrentExecutions")
        if before.get("ReservedConcurrentExecutions") == reserved:
            return
        if reserved is None:
            lambda_.delete_function_concurrency(FunctionName=made.physical_id)
        else:
            lambda_.put_function_concurrency(FunctionName=made.physical_id, ReservedConcurrentExecutions=reserved)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the function."""
        call.client("lambda").delete_function(FunctionName=made.physical_id)


_EMPTY: dict[str, Any] = {
    "Environment": {"Variables": {}},
    "Layers": [],
    "DeadLetterConfig": {"TargetArn": ""},
    "TracingConfig": {"Mode": "PassThrough"},
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
}


def _code(code: Properties, properties: Properties) -> dict[str, Any]:
    if "ZipFile" not in code:
        return pick(code, "S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri")
    name = "index.py" if str(properties.get("Runtime", "")).startswith("python") else "index.js"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), code["ZipFile"])
    return {"ZipFile": buffer.getvalue()}


class Permission(ResourceType):
    """A statement of a function's resource policy."""

    type_name = "AWS::Lambda::Permission"
    properties = frozenset(
        {"FunctionName", "Action", "Principal", "SourceArn", "SourceAccount", "EventSourceToken", "PrincipalOrgID"}
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Add the statement."""
        call.client("lambda").add_permission(StatementId=call.name, **properties)
        return Made(call.name, {"Id": call.name})

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Remove the statement."""
        function = properties["FunctionName"]
        call.client("lambda").remove_permission(FunctionName=function, StatementId=made.physical_id)


class EventInvokeConfig(ResourceType):
    """How asynchronous invocations of a function are tried again, and where failed ones go."""

    type_name = "AWS::Lambda::EventInvokeConfig"
    properties = frozenset(
        {"FunctionName", "Qualifier", "MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"}
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Put the configuration."""
        given = {key: value for key, value in properties.items() if key != "Qualifier" or value != "$LATEST"}
        call.client("lambda").put_function_event_invoke_config(**given)
        return Made(call.name)

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Put the configuration again."""
        self.create(call, after)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the configuration."""
        call.client("lambda").delete_function_event_invoke_config(FunctionName=properties["FunctionName"])


class Version(ResourceType):
    """A published version of a function."""

    type_name = "AWS::Lambda::Version"
    properties = frozenset({"FunctionName", "Description", "CodeSha256"})
    recorded: ClassVar[Mapping[str, str]] = {"ProvisionedConcurrencyConfig": "processes are kept warm in any case"}

    def create(self, call: Call, properties: Properties) -> Made:
        """Publish the version."""
        answer = call.client("lambda").publish_version(**pick(properties, *self.properties))
        arn = answer["FunctionArn"]
        if not arn.endswith(f":{answer['Version']}"):
            arn = f"{arn}:{answer['Version']}"
        return Made(arn, {"Version": answer["Version"], "FunctionArn": arn})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Keep the version, it cannot change."""
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the version."""
        call.client("lambda").delete_function(FunctionName=made.physical_id)


class Alias(ResourceType):
    """A name for a version of a function."""

    type_name = "AWS::Lambda::Alias"
    properties = frozenset({"FunctionName", "Name", "FunctionVersion", "Description", "RoutingConfig"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the alias."""
        arn = call.client("lambda").create_alias(**_alias(properties))["AliasArn"]
        return Made(arn, {"AliasArn": arn})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Point the alias to another version."""
        call.client("lambda").update_alias(**_alias(after))
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the alias."""
        call.client("lambda").delete_alias(**pick(properties, "FunctionName", "Name"))


def _alias(properties: Properties) -> dict[str, Any]:
    given = dict(properties)
    weights = given.pop("RoutingConfig", {}).get("AdditionalVersionWeights")
    if weights:
        pairs = {weight["FunctionVersion"]: weight["FunctionWeight"] for weight in weights}
        given["RoutingConfig"] = {"AdditionalVersionWeights": pairs}
    return given


class LayerVersion(ResourceType):
    """A version of a layer."""

    type_name = "AWS::Lambda::LayerVersion"
    name_property = "LayerName"
    properties = frozenset(
        {"LayerName", "Content", "CompatibleRuntimes", "CompatibleArchitectures", "Description", "LicenseInfo"}
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Publish the version."""
        given = {key: value for key, value in properties.items() if key != "LayerName"}
        arn = call.client("lambda").publish_layer_version(LayerName=call.name, **given)["LayerVersionArn"]
        return Made(arn, {"LayerVersionArn": arn})

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the version."""
        layer, version = made.physical_id.rsplit(":", 1)
        call.client("lambda").delete_layer_version(LayerName=layer.rsplit(":", 1)[-1], VersionNumber=int(version))
