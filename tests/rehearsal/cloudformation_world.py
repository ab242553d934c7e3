"""Small templates and the way to deploy them, for the tests of the emulated CloudFormation."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from mlops.rehearsal import credentials

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
CAPABILITIES = ["CAPABILITY_NAMED_IAM"]


def unique(prefix: str = "s") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def parameter(value: Any, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **properties}}


def role(*actions: str, resource: str = "*") -> str:
    """Make a role that CloudFormation may use, and return its ARN."""
    iam, name = credentials.client("iam"), unique("cfn")
    trust = {
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]
    }
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}],
    }
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return str(arn)


class Stack:
    """A stack under test."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or unique()
        self.client = credentials.client("cloudformation")
        self.stack_id = ""

    def change_set(
        self, template: dict[str, Any], *, kind: str = "UPDATE", name: str = "c", **more: Any
    ) -> dict[str, Any]:
        """Make a change set and return its description."""
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in more.pop("values", {}).items()]
        answer = self.client.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType=kind,
            TemplateBody=json.dumps(template),
            Capabilities=CAPABILITIES,
            **{"Parameters": parameters, **more},
        )
        self.stack_id = answer["StackId"]
        found: dict[str, Any] = self.client.describe_change_set(StackName=self.name, ChangeSetName=name)
        return found

    def changes(self, template: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
        """Return the changes that a template would make, by logical id; nothing is kept."""
        found = self.change_set(template, **more)
        self.client.delete_change_set(StackName=self.name, ChangeSetName="c")
        return {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in found["Changes"]}

    def deploy(self, template: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Make and execute a change set; return the stack when it has come to rest."""
        try:
            exists = self.describe()["StackStatus"] != "REVIEW_IN_PROGRESS"
        except self.client.exceptions.ClientError:
            exists = False
        if exists:
            self.client.delete_change_set(StackName=self.name, ChangeSetName="c")
        described = self.change_set(template, kind="UPDATE" if exists else "CREATE", **more)
        if described["Status"] == "FAILED":
            raise AssertionError(described["StatusReason"])
        self.client.execute_change_set(StackName=self.name, ChangeSetName="c")
        return self.settled()

    def settled(self) -> dict[str, Any]:
        """Wait until the stack has come to rest."""
        for _ in range(600):
            stack = self.describe()
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack
            time.sleep(0.05)
        raise AssertionError(stack)

    def describe(self) -> dict[str, Any]:
        stack: dict[str, Any] = self.client.describe_stacks(StackName=self.stack_id or self.name)["Stacks"][0]
        return stack

    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.describe().get("Outputs", [])}

    def physical(self, logical_id: str) -> str:
        answer = self.client.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])

    def delete(self) -> dict[str, Any]:
        self.client.delete_stack(StackName=self.name)
        return self.settled()

    def told(self, logical_id: str | None = None) -> list[str]:
        """Return the statuses in the events, oldest first."""
        events = self.client.describe_stack_events(StackName=self.stack_id or self.name)["StackEvents"][::-1]
        wanted = logical_id or self.name
        return [event["ResourceStatus"] for event in events if event["LogicalResourceId"] == wanted]

    def reasons(self, logical_id: str) -> str:
        events = self.client.describe_stack_events(StackName=self.stack_id or self.name)["StackEvents"]
        return " ".join(e.get("ResourceStatusReason", "") for e in events if e["LogicalResourceId"] == logical_id)
