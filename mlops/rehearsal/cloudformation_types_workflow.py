"""Resource types of CloudWatch Logs and Step Functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from mlops.rehearsal.cloudformation_resource import (
    Call,
    Made,
    Properties,
    ResourceType,
    camel,
    pick,
    tag_changes,
    tag_map,
)


class LogGroup(ResourceType):
    """A log group."""

    type_name = "AWS::Logs::LogGroup"
    name_property = "LogGroupName"
    properties = frozenset({"LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass", "Tags"})
    recorded: ClassVar[Mapping[str, str]] = {
        "DataProtectionPolicy": "log lines are not searched for personal data here",
        "DeletionProtectionEnabled": "only a stack deletes log groups here",
    }

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the group and set how long it keeps events."""
        logs = call.client("logs")
        tags = tag_map(properties.get("Tags"))
        key = {"kmsKeyId": properties["KmsKeyId"]} if "KmsKeyId" in properties else {}
        logs.create_log_group(logGroupName=call.name, **key, **({"tags": tags} if tags else {}))
        made = Made(call.name, {"Arn": f"{call.arn('logs', f'log-group:{call.name}')}:*"})
        call.begun(made)
        self._retention(logs, made, {}, properties)
        return made

    @staticmethod
    def _retention(logs: Any, made: Made, before: Properties, after: Properties) -> None:
        days = after.get("RetentionInDays")
        if before.get("RetentionInDays") == days:
            return
        if days is None:
            logs.delete_retention_policy(logGroupName=made.physical_id)
        else:
            logs.put_retention_policy(logGroupName=made.physical_id, retentionInDays=days)

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change retention, key and tags."""
        logs = call.client("logs")
        self._retention(logs, made, before, after)
        if before.get("KmsKeyId") != after.get("KmsKeyId"):
            if "KmsKeyId" in after:
                logs.associate_kms_key(logGroupName=made.physical_id, kmsKeyId=after["KmsKeyId"])
            else:
                logs.disassociate_kms_key(logGroupName=made.physical_id)
        gone, tags = tag_changes(before, after)
        arn = str(made.attributes["Arn"]).removesuffix(":*")
        if gone:
            logs.untag_resource(resourceArn=arn, tagKeys=gone)
        if tags:
            logs.tag_resource(resourceArn=arn, tags=tag_map(tags))
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the group."""
        call.client("logs").delete_log_group(logGroupName=made.physical_id)


class StateMachine(ResourceType):
    """A state machine."""

    type_name = "AWS::StepFunctions::StateMachine"
    name_property = "StateMachineName"
    properties = frozenset(
        {
            "StateMachineName",
            "RoleArn",
            "DefinitionString",
            "Definition",
            "DefinitionS3Location",
            "DefinitionSubstitutions",
            "StateMachineType",
            "LoggingConfiguration",
            "TracingConfiguration",
            "EncryptionConfiguration",
            "Tags",
        }
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the state machine."""
        tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags", [])]
        answer = call.client("stepfunctions").create_state_machine(
            name=call.name,
            type=properties.get("StateMachineType", "STANDARD"),
            **self._given(call, properties),
            tags=tags,
        )
        arn = answer["stateMachineArn"]
        return Made(arn, {"Arn": arn, "Name": call.name, "StateMachineRevisionId": "INITIAL"})

    @staticmethod
    def _given(call: Call, properties: Properties) -> dict[str, Any]:
        names = {"LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration", "RoleArn"}
        given: dict[str, Any] = camel(pick(properties, *names))
        given["definition"] = _definition(call, properties)
        return given

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change definition, role, logging, tracing and tags."""
        stepfunctions = call.client("stepfunctions")
        stepfunctions.update_state_machine(stateMachineArn=made.physical_id, **self._given(call, after))
        gone, tags = tag_changes(before, after)
        if gone:
            stepfunctions.untag_resource(resourceArn=made.physical_id, tagKeys=gone)
        if tags:
            lower = [{"key": tag["Key"], "value": tag["Value"]} for tag in tags]
            stepfunctions.tag_resource(resourceArn=made.physical_id, tags=lower)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the state machine."""
        call.client("stepfunctions").delete_state_machine(stateMachineArn=made.physical_id)


def _definition(call: Call, properties: Properties) -> str:
    if "DefinitionS3Location" in properties:
        place = properties["DefinitionS3Location"]
        body = call.client("s3").get_object(**pick(place, "Bucket", "Key"))["Body"].read().decode()
    else:
        body = properties.get("DefinitionString") or json.dumps(properties["Definition"])
    given = properties.get("DefinitionSubstitutions", {})
    return re.sub(r"\$\{([\w-]+)\}", lambda match: str(given.get(match[1], match[0])), body)
