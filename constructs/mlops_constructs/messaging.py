"""Notifications to people, and the queue that keeps what could not be delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge

MAXIMUM_RETRIES = 8
"""Attempts of EventBridge to reach a target before the event goes to the dead-letter queue."""


class Notifications(Construct):
    """The topic that tells people about failures, alarms and approvals."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: kms.IKey,
        emails: Sequence[str],
        publishing: Sequence[str] = ("events", "cloudwatch"),
    ) -> None:
        """Make the topic for the `publishing` services and subscribe `emails`; each address has to confirm once."""
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        for email in emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        for service in publishing:
            self.topic.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sns:Publish"],
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    resources=[self.topic.topic_arn],
                    conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
                )
            )


class DeadLetterQueue(Construct):
    """A queue for undeliverable events, with an alarm as soon as one is in it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: kms.IKey,
        topic: sns.ITopic,
        removal_policy: RemovalPolicy,
    ) -> None:
        """Make the queue; messages are kept for 14 days, the longest that SQS allows."""
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=removal_policy,
        )
        acknowledge(self.queue, {"Serverless-SQSRedrivePolicy": "this is the dead-letter queue of the others"})
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                resources=[self.queue.queue_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        self.alarm = cloudwatch.CfnAlarm(
            self,
            "Alarm",
            alarm_description="An event could not be delivered: read it in the queue, mend the cause, redrive it",
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions=[{"name": "QueueName", "value": self.queue.queue_name}],
            statistic="Maximum",
            period=60,
            evaluation_periods=1,
            threshold=0,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[topic.topic_arn],
        )


class DeliveredRule(Construct):
    """An EventBridge rule whose event reaches its target or, after retries, the dead-letter queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        pattern: Mapping[str, Any] | None = None,
        schedule: str | None = None,
        target_arn: str,
        target_role_arn: str | None = None,
        bus: str | None = None,
        dead_letters: DeadLetterQueue,
        input_paths: Mapping[str, str] | None = None,
        input_template: str | None = None,
    ) -> None:
        """Send events that match `pattern`, or are due by `schedule`, to `target_arn`, reshaped by `input_template`.

        Args:
            scope: parent.
            construct_id: id.
            description: what the event means.
            pattern: of the events.
            schedule: instead of a pattern.
            target_arn: where the event goes.
            target_role_arn: the role that a bus of another account admits; a function or topic has its own policy.
            bus: name of the bus to listen on; the default bus where it is left out.
            dead_letters: where the event goes when the target cannot be reached.
            input_paths: names of parts of the event.
            input_template: what the target gets instead of the event.

        """
        super().__init__(scope, construct_id)
        transformer = (
            events.CfnRule.InputTransformerProperty(
                input_template=input_template, input_paths_map=dict(input_paths or {})
            )
            if input_template
            else None
        )
        self.rule = events.CfnRule(
            self,
            "Rule",
            description=description,
            event_bus_name=bus,
            event_pattern=pattern,
            schedule_expression=schedule,
            targets=[
                events.CfnRule.TargetProperty(
                    id="Target",
                    arn=target_arn,
                    role_arn=target_role_arn,
                    input_transformer=transformer,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=dead_letters.queue.queue_arn),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_retry_attempts=MAXIMUM_RETRIES, maximum_event_age_in_seconds=3600
                    ),
                )
            ],
        )
