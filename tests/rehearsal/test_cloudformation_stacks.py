from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials, iam
from tests.rehearsal import cloudformation_world as world

pytestmark = pytest.mark.usefixtures("aws")


def exists(url: str) -> bool:
    sqs = credentials.client("sqs")
    try:
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    except ClientError:
        return False
    return True


BROKEN = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Role": "arn:aws:iam::111122223333:role/missing",
        "Runtime": "python3.13",
        "Handler": "index.h",
        "Code": {"ZipFile": "x"},
    },
}


def test_stack_is_made_in_the_background_and_tells_of_it() -> None:
    stack = world.Stack()
    template = {
        "Resources": {"B": {**world.queue(), "DependsOn": "A"}, "A": world.queue()},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["B", "Arn"]}, "Description": "d"}},
    }
    made = stack.deploy(template, Tags=[{"Key": "team", "Value": "ml"}])
    assert made["StackStatus"] == "CREATE_COMPLETE"
    assert made["Outputs"] == [
        {"OutputKey": "Arn", "OutputValue": made["Outputs"][0]["OutputValue"], "Description": "d"}
    ]
    assert stack.told() == ["REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    assert stack.told("A") == ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    url = stack.physical("A")
    assert credentials.client("sqs").list_queue_tags(QueueUrl=url)["Tags"] == {"team": "ml"}
    assert f"{stack.name}-A-" in url


def test_failing_resource_rolls_the_stack_back_with_its_reason() -> None:
    stack = world.Stack()
    end = stack.deploy({"Resources": {"A": world.queue(QueueName=stack.name), "F": {**BROKEN, "DependsOn": "A"}}})
    assert end["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "The following resource(s) failed to create: [F]" in end["StackStatusReason"]
    assert "CreateFunction" in end["StackStatusReason"]
    assert stack.told() == ["REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]
    assert stack.told("F")[-1] == "CREATE_FAILED"
    assert "CreateFunction" in stack.reasons("F")
    assert stack.told("A")[-1] == "DELETE_COMPLETE"
    with pytest.raises(ClientError):
        credentials.client("sqs").get_queue_url(QueueName=stack.name)
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        stack.change_set({"Resources": {"A": world.queue()}})


def test_retained_resource_survives_the_rollback_of_its_stack() -> None:
    stack = world.Stack()
    kept = {**world.queue(QueueName=stack.name), "DeletionPolicy": "Retain"}
    stack.deploy({"Resources": {"A": kept, "F": {**BROKEN, "DependsOn": "A"}}})
    assert stack.told("A")[-1] == "DELETE_SKIPPED"
    credentials.client("sqs").get_queue_url(QueueName=stack.name)


def test_failing_update_brings_the_former_state_back() -> None:
    stack = world.Stack()
    first = {
        "Resources": {"A": world.queue(DelaySeconds=1), "P": world.parameter("old"), "Gone": world.queue()},
        "Outputs": {"P": {"Value": {"Fn::GetAtt": ["P", "Value"]}}},
    }
    stack.deploy(first)
    gone = stack.physical("Gone")
    second = {
        "Resources": {
            "A": world.queue(DelaySeconds=2),
            "P": world.parameter("new"),
            "N": world.queue(),
            "F": {**BROKEN, "DependsOn": ["A", "P", "N"]},
        }
    }
    end = stack.deploy(second)
    assert end["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "[F]" in end["StackStatusReason"]
    assert stack.outputs() == {"P": "old"}
    attributes = credentials.client("sqs").get_queue_attributes(QueueUrl=stack.physical("A"), AttributeNames=["All"])
    assert attributes["Attributes"]["DelaySeconds"] == "1"
    assert credentials.client("ssm").get_parameter(Name=stack.physical("P"))["Parameter"]["Value"] == "old"
    assert exists(gone)
    assert stack.told("N")[-1] == "DELETE_COMPLETE"
    assert {"UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"} <= set(stack.told())
    assert stack.deploy({"Resources": {"A": world.queue(DelaySeconds=3)}})["StackStatus"] == "UPDATE_COMPLETE"


def test_removed_resource_is_deleted_unless_it_is_retained() -> None:
    stack = world.Stack()
    stack.deploy(
        {"Resources": {"A": world.queue(), "B": world.queue(), "C": {**world.queue(), "DeletionPolicy": "Retain"}}}
    )
    b, c = stack.physical("B"), stack.physical("C")
    stack.deploy({"Resources": {"A": world.queue()}})
    assert not exists(b)
    assert exists(c)


def test_replacement_makes_the_new_one_first_and_then_deletes_the_old() -> None:
    stack = world.Stack()
    names = world.unique(), world.unique()
    users = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "A"}}}
    stack.deploy({"Resources": {"A": world.queue(QueueName=names[0]), "U": users}})
    old = stack.physical("A")
    stack.deploy({"Resources": {"A": world.queue(QueueName=names[1]), "U": users}})
    new = stack.physical("A")
    assert new.endswith(names[1])
    assert credentials.client("ssm").get_parameter(Name=stack.physical("U"))["Parameter"]["Value"] == new
    assert (exists(old), exists(new)) == (False, True)


def test_custom_named_resource_that_needs_replacing_is_refused() -> None:
    stack = world.Stack()
    name = world.unique()
    stack.deploy({"Resources": {"A": world.queue(QueueName=f"{name}.fifo", FifoQueue=True)}})
    end = stack.deploy({"Resources": {"A": world.queue(QueueName=f"{name}.fifo")}})
    assert end["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "cannot update a stack when a custom-named resource requires replacing" in end["StackStatusReason"]


def test_resources_come_and_go_with_their_condition() -> None:
    stack = world.Stack()
    template = {
        "Parameters": {"Package": {"Type": "String", "Default": ""}},
        "Conditions": {"HasModel": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Package"}, ""]}]}},
        "Resources": {"A": world.queue(), "M": {**world.queue(), "Condition": "HasModel"}},
        "Outputs": {"M": {"Condition": "HasModel", "Value": {"Ref": "M"}}},
    }
    assert "Outputs" not in stack.deploy(template)
    changes = stack.changes(template, values={"Package": "p"})
    assert {name: change["Action"] for name, change in changes.items()} == {"M": "Add"}
    assert stack.deploy(template, values={"Package": "p"})["Outputs"][0]["OutputKey"] == "M"
    previous = [{"ParameterKey": "Package", "UsePreviousValue": True}]
    assert stack.change_set(template, Parameters=previous)["StatusReason"].startswith("The submitted information")
    stack.client.delete_change_set(StackName=stack.name, ChangeSetName="c")
    assert stack.changes(template)["M"]["Action"] == "Remove"


def test_exports_bind_stacks_together() -> None:
    giver, taker, name = world.Stack(), world.Stack(), world.unique("export")
    given = {
        "Resources": {"A": world.queue()},
        "Outputs": {"A": {"Value": {"Fn::GetAtt": ["A", "Arn"]}, "Export": {"Name": name}}},
    }
    giver.deploy(given)
    template = {"Resources": {"P": world.parameter({"Fn::ImportValue": name})}}
    assert taker.deploy(template)["StackStatus"] == "CREATE_COMPLETE"
    assert giver.client.list_imports(ExportName=name)["Imports"] == [taker.name]
    end = giver.deploy({"Resources": {"A": world.queue()}})
    assert f"Cannot delete export {name} as it is in use by {taker.name}" in end["StackStatusReason"]
    assert giver.delete()["StackStatus"] == "DELETE_FAILED"
    assert taker.delete()["StackStatus"] == "DELETE_COMPLETE"
    assert giver.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_import_of_nothing_fails_the_change_set() -> None:
    template = {"Resources": {"P": world.parameter({"Fn::ImportValue": "nobody-exports-this"})}}
    described = world.Stack().change_set(template, kind="CREATE")
    assert (described["Status"], described["StatusReason"]) == ("FAILED", "No export named nobody-exports-this found.")


def test_delete_removes_everything_and_the_name() -> None:
    stack = world.Stack()
    stack.deploy({"Resources": {"A": world.queue()}})
    url = stack.physical("A")
    assert stack.delete()["StackStatus"] == "DELETE_COMPLETE"
    assert not exists(url)
    with pytest.raises(ClientError, match="does not exist"):
        stack.client.describe_stacks(StackName=stack.name)
    stack.client.delete_stack(StackName=stack.name)


def test_protected_stack_is_not_deleted() -> None:
    stack = world.Stack()
    stack.deploy({"Resources": {"A": world.queue()}})
    stack.client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="TerminationProtection"):
        stack.client.delete_stack(StackName=stack.name)


def test_role_of_the_stack_needs_every_permission() -> None:
    stack = world.Stack()
    arn = world.role("sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes")
    template = {"Resources": {"A": world.queue(), "P": {**world.parameter("x"), "DependsOn": "A"}}}
    end = stack.deploy(template, RoleARN=arn)
    assert end["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "not authorized to perform: ssm:PutParameter" in end["StackStatusReason"]
    assert "HandlerErrorCode: AccessDenied" in stack.reasons("P")
    denied = [
        decision
        for decision in iam.trace()
        if decision.role_arn.endswith(arn.rsplit("/", 1)[-1]) and not decision.allowed
    ]
    assert {decision.action for decision in denied} == {"ssm:PutParameter"}


def test_role_that_does_not_trust_cloudformation_makes_nothing() -> None:
    stack = world.Stack()
    made = credentials.client("iam").create_role(
        RoleName=world.unique(), AssumeRolePolicyDocument=json.dumps(world.TRUST)
    )["Role"]["Arn"]
    end = stack.deploy({"Resources": {"A": world.queue()}}, RoleARN=made)
    assert end["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "cloudformation.amazonaws.com" in end["StackStatusReason"]


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ({"Type": "AWS::Nonsense::Thing"}, "Unrecognized resource types"),
        ({"Type": "AWS::SQS::Queue", "DependsOn": "Nobody"}, r"Unresolved resource dependencies \[Nobody\]"),
        ({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Nobody"}}}, r"\[Nobody\]"),
    ],
)
def test_template_with_a_mistake_is_refused_at_once(resource: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        world.Stack().change_set({"Resources": {"A": resource}}, kind="CREATE")


def test_iam_resources_need_the_capability() -> None:
    stack = world.Stack()
    template = {"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": world.TRUST}}}}
    with pytest.raises(ClientError, match="CAPABILITY_IAM"):
        stack.client.create_stack(StackName=stack.name, TemplateBody=json.dumps(template))


def test_property_that_the_type_does_not_have_fails_the_resource() -> None:
    end = world.Stack().deploy({"Resources": {"A": world.queue(Colour="red")}})
    assert "extraneous key [Colour] is not permitted" in end["StackStatusReason"]


def test_unknown_attribute_fails_the_resource_that_asks() -> None:
    template = {"Resources": {"A": world.queue(), "P": world.parameter({"Fn::GetAtt": ["A", "Colour"]})}}
    end = world.Stack().deploy(template)
    assert "does not support attribute type Colour" in end["StackStatusReason"]


def test_create_update_and_describe_work_without_change_sets() -> None:
    stack = world.Stack()
    body = json.dumps({"Description": "d", "Resources": {"A": world.queue()}})
    stack.stack_id = stack.client.create_stack(StackName=stack.name, TemplateBody=body)["StackId"]
    assert stack.settled()["Description"] == "d"
    assert stack.client.get_template(StackName=stack.name)["TemplateBody"]["Description"] == "d"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stack.client.update_stack(StackName=stack.name, TemplateBody=body)
    stack.client.update_stack(
        StackName=stack.name, TemplateBody=json.dumps({"Resources": {"A": world.queue(DelaySeconds=5)}})
    )
    assert stack.settled()["StackStatus"] == "UPDATE_COMPLETE"
    with pytest.raises(ClientError, match="already exists"):
        stack.client.create_stack(StackName=stack.name, TemplateBody=body)
    stack.client.get_waiter("stack_update_complete").wait(StackName=stack.name)
