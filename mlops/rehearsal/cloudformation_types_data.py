"""Resource types of KMS, DynamoDB and SSM parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops.rehearsal.cloudformation_resource import Call, Made, Properties, ResourceType, as_json, pick, tag_changes


class Key(ResourceType):
    """A KMS key."""

    type_name = "AWS::KMS::Key"
    properties = frozenset(
        {
            "KeyPolicy",
            "Description",
            "EnableKeyRotation",
            "Enabled",
            "KeySpec",
            "KeyUsage",
            "Tags",
            "PendingWindowInDays",
            "MultiRegion",
            "RotationPeriodInDays",
        }
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the key."""
        kms = call.client("kms")
        given = pick(properties, "Description", "KeySpec", "KeyUsage", "MultiRegion")
        if "KeyPolicy" in properties:
            given["Policy"] = as_json(properties["KeyPolicy"])
        key = kms.create_key(**given, Tags=_kms_tags(properties.get("Tags", [])))["KeyMetadata"]
        made = Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})
        call.begun(made)
        self._switch(kms, made, {}, properties)
        return made

    def _switch(self, kms: Any, made: Made, before: Properties, after: Properties) -> None:
        if before.get("EnableKeyRotation", False) != after.get("EnableKeyRotation", False):
            period = pick(after, "RotationPeriodInDays")
            if after.get("EnableKeyRotation"):
                kms.enable_key_rotation(KeyId=made.physical_id, **period)
            else:
                kms.disable_key_rotation(KeyId=made.physical_id)
        if before.get("Enabled", True) != after.get("Enabled", True):
            (kms.enable_key if after.get("Enabled", True) else kms.disable_key)(KeyId=made.physical_id)

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change policy, description, rotation and tags."""
        kms = call.client("kms")
        if before.get("KeyPolicy") != after.get("KeyPolicy"):
            kms.put_key_policy(KeyId=made.physical_id, PolicyName="default", Policy=as_json(after["KeyPolicy"]))
        if before.get("Description") != after.get("Description"):
            kms.update_key_description(KeyId=made.physical_id, Description=after.get("Description", ""))
        self._switch(kms, made, before, after)
        gone, changed = tag_changes(before, after)
        if gone:
            kms.untag_resource(KeyId=made.physical_id, TagKeys=gone)
        if changed:
            kms.tag_resource(KeyId=made.physical_id, Tags=_kms_tags(changed))
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:
        """Schedule the deletion of the key, as AWS does."""
        window = properties.get("PendingWindowInDays", 30)
        call.client("kms").schedule_key_deletion(KeyId=made.physical_id, PendingWindowInDays=window)


def _kms_tags(tags: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tags]


class KeyAlias(ResourceType):
    """A name of a KMS key."""

    type_name = "AWS::KMS::Alias"
    properties = frozenset({"AliasName", "TargetKeyId"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the alias."""
        call.client("kms").create_alias(AliasName=properties["AliasName"], TargetKeyId=properties["TargetKeyId"])
        return Made(properties["AliasName"])

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:  # noqa: ARG002
        """Point the alias to another key."""
        call.client("kms").update_alias(AliasName=made.physical_id, TargetKeyId=after["TargetKeyId"])
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the alias."""
        call.client("kms").delete_alias(AliasName=made.physical_id)


_TABLE_DIRECT = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "DeletionProtectionEnabled",
    "TableClass",
)


class Table(ResourceType):
    """A DynamoDB table."""

    type_name = "AWS::DynamoDB::Table"
    name_property = "TableName"
    properties = frozenset(
        {
            "TableName",
            *_TABLE_DIRECT,
            "StreamSpecification",
            "SSESpecification",
            "Tags",
            "TimeToLiveSpecification",
            "PointInTimeRecoverySpecification",
        }
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the table, then its recovery and expiry settings."""
        dynamodb = call.client("dynamodb")
        given = pick(properties, *_TABLE_DIRECT, "Tags")
        given.update(self._streams(properties), **self._encryption(properties))
        table = dynamodb.create_table(TableName=call.name, **given)["TableDescription"]
        attributes = {"Arn": table["TableArn"]}
        if "LatestStreamArn" in table:
            attributes["StreamArn"] = table["LatestStreamArn"]
        made = Made(call.name, attributes)
        call.begun(made)
        self._settings(dynamodb, made, {}, properties)
        return made

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change the table in place."""
        dynamodb = call.client("dynamodb")
        changed = {
            name: after[name]
            for name in (*_TABLE_DIRECT[2:4], *_TABLE_DIRECT[6:])
            if name in after and before.get(name) != after[name]
        }
        if before.get("SSESpecification") != after.get("SSESpecification"):
            changed.update(self._encryption(after))
        if before.get("StreamSpecification") != after.get("StreamSpecification"):
            changed.update(self._streams(after))
        if before.get("GlobalSecondaryIndexes") != after.get("GlobalSecondaryIndexes"):
            changed.update(pick(after, "AttributeDefinitions"), **_index_updates(before, after))
        if changed:
            dynamodb.update_table(TableName=made.physical_id, **changed)
        self._settings(dynamodb, made, before, after)
        gone, tags = tag_changes(before, after)
        if gone:
            dynamodb.untag_resource(ResourceArn=made.attributes["Arn"], TagKeys=gone)
        if tags:
            dynamodb.tag_resource(ResourceArn=made.attributes["Arn"], Tags=tags)
        return made

    @staticmethod
    def _streams(properties: Properties) -> dict[str, Any]:
        if "StreamSpecification" not in properties:
            return {}
        return {"StreamSpecification": {"StreamEnabled": True, **properties["StreamSpecification"]}}

    @staticmethod
    def _encryption(properties: Properties) -> dict[str, Any]:
        value = properties.get("SSESpecification")
        if value is None:
            return {}
        return {"SSESpecification": {"Enabled": value["SSEEnabled"], **pick(value, "SSEType", "KMSMasterKeyId")}}

    @staticmethod
    def _settings(dynamodb: Any, made: Made, before: Properties, after: Properties) -> None:
        if before.get("TimeToLiveSpecification") != after.get("TimeToLiveSpecification"):
            value = after.get("TimeToLiveSpecification") or {**before["TimeToLiveSpecification"], "Enabled": False}
            dynamodb.update_time_to_live(TableName=made.physical_id, TimeToLiveSpecification=value)
        recovery = "PointInTimeRecoverySpecification"
        if before.get(recovery) != after.get(recovery):
            value = after.get(recovery) or {"PointInTimeRecoveryEnabled": False}
            dynamodb.update_continuous_backups(TableName=made.physical_id, PointInTimeRecoverySpecification=value)

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the table."""
        call.client("dynamodb").delete_table(TableName=made.physical_id)


def _index_updates(before: Properties, after: Properties) -> dict[str, Any]:
    old = {index["IndexName"]: index for index in before.get("GlobalSecondaryIndexes", [])}
    new = {index["IndexName"]: index for index in after.get("GlobalSecondaryIndexes", [])}
    updates = [{"Delete": {"IndexName": name}} for name in old if name not in new]
    updates += [{"Create": new[name]} for name in new if name not in old]
    return {"GlobalSecondaryIndexUpdates": updates}


class Parameter(ResourceType):
    """An SSM parameter."""

    type_name = "AWS::SSM::Parameter"
    name_property = "Name"
    properties = frozenset({"Name", "Type", "Value", "Description", "Tier", "AllowedPattern", "DataType", "Tags"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Put the parameter; one that exists already is refused."""
        tags = [{"Key": key, "Value": value} for key, value in properties.get("Tags", {}).items()]
        self._put(call, call.name, properties, Tags=tags)
        return Made(call.name, pick(properties, "Type", "Value"))

    @staticmethod
    def _put(call: Call, name: str, properties: Properties, **more: Any) -> None:
        given = pick(properties, "Type", "Value", "Description", "Tier", "AllowedPattern", "DataType")
        call.client("ssm").put_parameter(Name=name, **given, **more)

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Overwrite the parameter."""
        self._put(call, made.physical_id, after, Overwrite=True)
        if before.get("Tags", {}) != after.get("Tags", {}):
            ssm, old, new = call.client("ssm"), before.get("Tags", {}), after.get("Tags", {})
            target = {"ResourceType": "Parameter", "ResourceId": made.physical_id}
            if old.keys() - new.keys():
                ssm.remove_tags_from_resource(**target, TagKeys=sorted(old.keys() - new.keys()))
            if new:
                ssm.add_tags_to_resource(**target, Tags=[{"Key": key, "Value": new[key]} for key in new])
        return Made(made.physical_id, pick(after, "Type", "Value"))

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the parameter."""
        call.client("ssm").delete_parameter(Name=made.physical_id)
