"""What the account of the data scientists has, so that they can hand models over."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Fn, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from mlops_constructs import AccessLogBucket, DataKey, DeadLetterQueue, EncryptedBucket, Notifications
from mlops_constructs.accounts import Accounts
from mlops_constructs.acknowledgements import acknowledge
from mlops_constructs.candidates import CandidateForwarder, CandidateGroup, admit_intake
from mlops_constructs.retention import RETAIN


class DataScienceStack(Stack):
    """The bucket of the candidates with its key, and the role that announces them."""

    def __init__(self, scope: Construct, construct_id: str, *, accounts: Accounts, **options: Any) -> None:
        """Make what all models share; the candidates outlive the stack."""
        super().__init__(scope, construct_id, **options)
        environment = accounts.data_science
        key = DataKey(self, "Key", delivering=["events", "cloudwatch"], removal_policy=RETAIN)
        candidates = EncryptedBucket(
            self,
            "Candidates",
            bucket_name=accounts.bucket("candidates", environment),
            key=key,
            log_bucket=AccessLogBucket(self, "AccessLogs", removal_policy=RETAIN),
            removal_policy=RETAIN,
        )
        admit_intake(accounts, key=key, candidates=candidates)
        emails = environment.notify
        notifications = Notifications(self, "Notifications", key=key, emails=emails, publishing=["cloudwatch"])
        self.forwarder = CandidateForwarder(self, "Forwarder", accounts=accounts)
        self.export_value(key.key_arn, name=self.export("KeyArn"))
        self.export_value(notifications.topic.topic_arn, name=self.export("TopicArn"))
        self.export_value(self.forwarder.arn, name=self.export("ForwarderArn"))
        CfnOutput(self, "CandidateBucket", value=candidates.bucket_name)

    def export(self, name: str) -> str:
        """Return the name of an exported value."""
        return f"{self.stack_name}:{name}"


class CandidateStack(Stack):
    """Where the data scientists hand candidates of one model over."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        accounts: Accounts,
        model: str,
        data_science: DataScienceStack,
        **options: Any,
    ) -> None:
        """Make the model package group of the candidates of `model`; it outlives the stack."""
        super().__init__(scope, construct_id, **options)
        self.add_stack_dependency(data_science)
        value = {name: Fn.import_value(data_science.export(name)) for name in ("KeyArn", "TopicArn", "ForwarderArn")}
        dead_letters = DeadLetterQueue(
            self,
            "DeadLetters",
            key=kms.Key.from_key_arn(self, "Key", value["KeyArn"]),
            topic=sns.Topic.from_topic_arn(self, "Topic", value["TopicArn"]),
            removal_policy=RETAIN,
        )
        acknowledge(dead_letters.queue, {"AwsSolutions-SQS3": "this is the dead-letter queue of the rule"})
        CandidateGroup(
            self,
            "Candidates",
            accounts=accounts,
            model=model,
            forwarder_arn=value["ForwarderArn"],
            dead_letters=dead_letters,
        )
