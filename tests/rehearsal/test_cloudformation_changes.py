from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import cloudformation_schemas as schemas
from tests.rehearsal import cloudformation_world as world

pytestmark = pytest.mark.usefixtures("aws")
PARAMETERS = {"Delay": {"Type": "Number", "Default": "1"}, "Name": {"Type": "String", "Default": "one"}}


def named(stack: Any, suffix: Any = "one") -> dict[str, Any]:
    return world.queue(QueueName={"Fn::Sub": [f"{stack.name}-${{S}}", {"S": suffix}]})


def test_empty_change_set_fails_in_the_words_of_aws() -> None:
    stack = world.Stack()
    template = {"Resources": {"A": world.queue()}}
    stack.deploy(template)
    described = stack.change_set(template)
    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert described["StatusReason"] == (
        "The submitted information didn't contain changes. Submit different information to create a change set."
    )
    with pytest.raises(ClientError, match="cannot be executed in its current status"):
        stack.client.execute_change_set(StackName=stack.name, ChangeSetName="c")


def test_new_stack_adds_everything_and_changes_nothing_yet() -> None:
    stack = world.Stack()
    described = stack.change_set({"Resources": {"A": world.queue(QueueName=stack.name)}}, kind="CREATE")
    change = described["Changes"][0]["ResourceChange"]
    assert (change["Action"], change["ResourceType"]) == ("Add", "AWS::SQS::Queue")
    assert stack.describe()["StackStatus"] == "REVIEW_IN_PROGRESS"


def test_change_in_place_names_the_property() -> None:
    stack = world.Stack()
    stack.deploy({"Resources": {"A": world.queue(DelaySeconds=1)}})
    change = stack.changes({"Resources": {"A": world.queue(DelaySeconds=2)}})["A"]
    assert (change["Action"], change["Replacement"], change["Scope"]) == ("Modify", "False", ["Properties"])
    assert change["PhysicalResourceId"] == stack.physical("A")
    assert change["Details"] == [
        {
            "Target": {"Attribute": "Properties", "Name": "DelaySeconds", "RequiresRecreation": "Never"},
            "Evaluation": "Static",
            "ChangeSource": "DirectModification",
        }
    ]


def test_change_of_a_create_only_property_replaces() -> None:
    stack = world.Stack()
    stack.deploy({"Resources": {"A": named(stack)}})
    change = stack.changes({"Resources": {"A": named(stack, "two")}})["A"]
    assert (change["Replacement"], change["PolicyAction"]) == ("True", "ReplaceAndDelete")
    assert change["Details"][0]["Target"]["RequiresRecreation"] == "Always"


def test_change_through_a_parameter_names_the_parameter() -> None:
    stack = world.Stack()
    template = {"Parameters": PARAMETERS, "Resources": {"A": world.queue(DelaySeconds={"Ref": "Delay"})}}
    stack.deploy(template)
    (detail,) = stack.changes(template, values={"Delay": "9"})["A"]["Details"]
    assert (detail["ChangeSource"], detail["CausingEntity"]) == ("ParameterReference", "Delay")


def test_reference_to_a_replaced_resource_is_dynamic_and_conditional() -> None:
    """As the endpoint configuration of a serving stack, whose model is replaced."""
    stack = world.Stack()
    alias = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {
            "Name": {"Fn::Join": ["", ["/x/", {"Fn::GetAtt": ["A", "QueueName"]}]]},
            "Type": "String",
            "Value": "v",
        },
    }
    template = {"Parameters": PARAMETERS, "Resources": {"A": named(stack, {"Ref": "Name"}), "P": alias}}
    stack.deploy(template)
    change = stack.changes(template, values={"Name": "two"})["P"]
    assert change["Replacement"] == "Conditional"
    (detail,) = change["Details"]
    assert (detail["Evaluation"], detail["ChangeSource"]) == ("Dynamic", "ResourceAttribute")
    assert detail["CausingEntity"] == "A.QueueName"


def test_tags_and_policies_have_a_scope_of_their_own() -> None:
    stack = world.Stack()
    stack.deploy({"Resources": {"A": world.queue()}})
    change = stack.changes(
        {"Resources": {"A": {**world.queue(), "DeletionPolicy": "Retain"}}}, Tags=[{"Key": "k", "Value": "v"}]
    )["A"]
    assert change["Scope"] == ["DeletionPolicy", "Tags"]
    assert change["Replacement"] == "False"


def test_removed_resource_is_told_with_its_policy() -> None:
    stack = world.Stack()
    stack.deploy({"Resources": {"A": world.queue(), "B": {**world.queue(), "DeletionPolicy": "Retain"}}})
    change = stack.changes({"Resources": {"A": world.queue()}})["B"]
    assert (change["Action"], change["PolicyAction"]) == ("Remove", "Retain")


def test_type_of_a_resource_cannot_change() -> None:
    stack = world.Stack()
    stack.deploy({"Resources": {"A": world.queue()}})
    with pytest.raises(ClientError, match="Update of resource type is not permitted"):
        stack.change_set({"Resources": {"A": {"Type": "AWS::SNS::Topic"}}})


def test_names_of_change_sets_belong_to_their_stack() -> None:
    first, second = world.Stack(), world.Stack()
    for stack in (first, second):
        stack.change_set({"Resources": {stack.name.replace("-", ""): world.queue()}}, kind="CREATE")
    for stack in (first, second):
        described = stack.client.describe_change_set(StackName=stack.name, ChangeSetName="c")
        assert described["Changes"][0]["ResourceChange"]["LogicalResourceId"] == stack.name.replace("-", "")
    with pytest.raises(ClientError) as caught:
        first.client.describe_change_set(StackName=first.name, ChangeSetName="other")
    assert caught.value.response["Error"]["Code"] == "ChangeSetNotFound"
    with pytest.raises(ClientError, match="already existing changeset"):
        first.change_set({"Resources": {"A": world.queue()}}, kind="CREATE")


def test_long_change_sets_come_in_pages() -> None:
    stack = world.Stack()
    resources = {f"P{index}": world.parameter("v") for index in range(60)}
    stack.change_set({"Resources": resources}, kind="CREATE")
    pages = stack.client.get_paginator("describe_change_set").paginate(StackName=stack.name, ChangeSetName="c")
    assert [len(page["Changes"]) for page in pages] == [50, 10]


@pytest.mark.parametrize(
    ("type_name", "name", "answer"),
    [
        ("AWS::SageMaker::Endpoint", "EndpointConfigName", "Never"),
        ("AWS::SageMaker::Endpoint", "EndpointName", "Always"),
        ("AWS::SageMaker::EndpointConfig", "ProductionVariants", "Always"),
        ("AWS::SageMaker::Model", "PrimaryContainer", "Always"),
        ("AWS::S3::Bucket", "BucketName", "Always"),
        ("AWS::S3::Bucket", "VersioningConfiguration", "Never"),
        ("AWS::SNS::Subscription", "Region", "Conditionally"),
        ("AWS::Lambda::Function", "PackageType", "Always"),
    ],
)
def test_recreation_follows_the_provider_schemas(type_name: str, name: str, answer: str) -> None:
    assert schemas.recreation(type_name, name, "a", "b") == answer


def test_schemas_are_read_without_importing_cfn_lint() -> None:
    import subprocess  # noqa: PLC0415 - after the environment is set
    import sys  # noqa: PLC0415 - after the environment is set

    code = (
        "import sys; from mlops.rehearsal import cloudformation_schemas as s; "
        "s.create_only('AWS::S3::Bucket'); sys.exit('cfnlint' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_text_becomes_what_the_schema_wants() -> None:
    given = {"DelaySeconds": "5", "FifoQueue": "true", "QueueName": 7, "RedrivePolicy": {"maxReceiveCount": 3}}
    assert schemas.coerce("AWS::SQS::Queue", given) == {
        "DelaySeconds": 5,
        "FifoQueue": True,
        "QueueName": "7",
        "RedrivePolicy": {"maxReceiveCount": 3},
    }
