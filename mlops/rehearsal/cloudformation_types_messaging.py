"""Resource types of SNS and SQS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlops.rehearsal.cloudformation_resource import (
    Call,
    Made,
    Properties,
    ResourceType,
    as_json,
    pick,
    tag_changes,
    tag_map,
)


def _attribute(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, Mapping | list) else str(value)


_TOPIC = (
    "KmsMasterKeyId",
    "DisplayName",
    "FifoTopic",
    "ContentBasedDeduplication",
    "SignatureVersion",
    "TracingConfig",
)


class Topic(ResourceType):
    """An SNS topic."""

    type_name = "AWS::SNS::Topic"
    name_property = "TopicName"
    properties = frozenset({"TopicName", *_TOPIC, "Subscription", "Tags"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the topic and its subscriptions."""
        sns = call.client("sns")
        attributes = {name: _attribute(value) for name, value in pick(properties, *_TOPIC).items()}
        tags = list(properties.get("Tags", []))
        arn = sns.create_topic(Name=call.name, Attributes=attributes, Tags=tags)["TopicArn"]
        made = Made(arn, {"TopicArn": arn, "TopicName": call.name})
        call.begun(made)
        for subscription in properties.get("Subscription", []):
            sns.subscribe(TopicArn=arn, **subscription)
        return made

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change attributes, subscriptions and tags."""
        sns, arn = call.client("sns"), made.physical_id
        for name in _TOPIC:
            if before.get(name) != after.get(name):
                sns.set_topic_attributes(
                    TopicArn=arn, AttributeName=name, AttributeValue=_attribute(after.get(name, ""))
                )
        if before.get("Subscription", []) != after.get("Subscription", []):
            for known in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
                if pick(known, "Protocol", "Endpoint") in before.get("Subscription", []):
                    sns.unsubscribe(SubscriptionArn=known["SubscriptionArn"])
            for subscription in after.get("Subscription", []):
                sns.subscribe(TopicArn=arn, **subscription)
        gone, tags = tag_changes(before, after)
        if gone:
            sns.untag_resource(ResourceArn=arn, TagKeys=gone)
        if tags:
            sns.tag_resource(ResourceArn=arn, Tags=tags)
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the topic."""
        call.client("sns").delete_topic(TopicArn=made.physical_id)


class TopicPolicy(ResourceType):
    """The policy of topics."""

    type_name = "AWS::SNS::TopicPolicy"
    properties = frozenset({"PolicyDocument", "Topics"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Set the policy of each topic."""
        for topic in properties["Topics"]:
            call.client("sns").set_topic_attributes(
                TopicArn=topic, AttributeName="Policy", AttributeValue=as_json(properties["PolicyDocument"])
            )
        return Made(call.name, {"Id": call.name})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Set the policy again; topics that are no longer named get the default one."""
        self.create(call, after)
        self._default(call, [topic for topic in before["Topics"] if topic not in after["Topics"]])
        return made

    @staticmethod
    def _default(call: Call, topics: list[str]) -> None:
        for topic in topics:
            owner = {"StringEquals": {"AWS:SourceOwner": call.account}}
            actions = [
                f"SNS:{name}"
                for name in (
                    "GetTopicAttributes",
                    "SetTopicAttributes",
                    "AddPermission",
                    "RemovePermission",
                    "DeleteTopic",
                    "Subscribe",
                    "ListSubscriptionsByTopic",
                    "Publish",
                )
            ]
            statement = {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": actions,
                "Resource": topic,
                "Condition": owner,
            }
            policy = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
            call.client("sns").set_topic_attributes(
                TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy)
            )

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Give the topics the default policy."""
        self._default(call, list(properties["Topics"]))


class Subscription(ResourceType):
    """A subscription of a topic."""

    type_name = "AWS::SNS::Subscription"
    properties = frozenset(
        {"TopicArn", "Protocol", "Endpoint", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy", "RawMessageDelivery"}
    )

    def create(self, call: Call, properties: Properties) -> Made:
        """Subscribe; an e-mail address is recorded, nobody is asked to confirm."""
        names = ("FilterPolicy", "FilterPolicyScope", "RedrivePolicy", "RawMessageDelivery")
        attributes = {name: _attribute(value) for name, value in pick(properties, *names).items()}
        answer = call.client("sns").subscribe(
            **pick(properties, "TopicArn", "Protocol", "Endpoint"), Attributes=attributes, ReturnSubscriptionArn=True
        )
        return Made(answer["SubscriptionArn"], {"Arn": answer["SubscriptionArn"]})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change the attributes of the subscription."""
        for name in ("FilterPolicyScope", "FilterPolicy", "RedrivePolicy", "RawMessageDelivery"):
            if before.get(name) != after.get(name):
                call.client("sns").set_subscription_attributes(
                    SubscriptionArn=made.physical_id, AttributeName=name, AttributeValue=_attribute(after.get(name, {}))
                )
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Unsubscribe."""
        call.client("sns").unsubscribe(SubscriptionArn=made.physical_id)


_QUEUE = (
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
)


class Queue(ResourceType):
    """An SQS queue."""

    type_name = "AWS::SQS::Queue"
    name_property = "QueueName"
    properties = frozenset({"QueueName", *_QUEUE, "Tags"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Create the queue."""
        attributes = {name: _attribute(value) for name, value in pick(properties, *_QUEUE).items()}
        tags = tag_map(properties.get("Tags"))
        url = call.client("sqs").create_queue(
            QueueName=call.name, Attributes=attributes, **({"tags": tags} if tags else {})
        )["QueueUrl"]
        return Made(url, {"Arn": call.arn("sqs", call.name), "QueueName": call.name, "QueueUrl": url})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Change attributes and tags."""
        sqs = call.client("sqs")
        changed = {
            name: _attribute(after[name]) for name in _QUEUE if name in after and before.get(name) != after[name]
        }
        changed.update({name: "" for name in _QUEUE if name in before and name not in after})
        if changed:
            sqs.set_queue_attributes(QueueUrl=made.physical_id, Attributes=changed)
        gone, tags = tag_changes(before, after)
        if gone:
            sqs.untag_queue(QueueUrl=made.physical_id, TagKeys=gone)
        if tags:
            sqs.tag_queue(QueueUrl=made.physical_id, Tags=tag_map(tags))
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Delete the queue."""
        call.client("sqs").delete_queue(QueueUrl=made.physical_id)


class QueuePolicy(ResourceType):
    """The policy of queues."""

    type_name = "AWS::SQS::QueuePolicy"
    properties = frozenset({"PolicyDocument", "Queues"})

    def create(self, call: Call, properties: Properties) -> Made:
        """Set the policy of each queue."""
        for queue in properties["Queues"]:
            policy = {"Policy": as_json(properties["PolicyDocument"])}
            call.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes=policy)
        return Made(call.name, {"Id": call.name})

    def update(self, call: Call, made: Made, before: Properties, after: Properties) -> Made:
        """Set the policy again; queues that are no longer named lose theirs."""
        self.create(call, after)
        for queue in before["Queues"]:
            if queue not in after["Queues"]:
                call.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
        return made

    def delete(self, call: Call, made: Made, properties: Properties) -> None:  # noqa: ARG002
        """Take the policy from the queues."""
        for queue in properties["Queues"]:
            call.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
