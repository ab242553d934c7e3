"""The table of an environment's API: which inference was answered by what, what became of it, who asked how often."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from mlops_constructs.acknowledgements import acknowledge


class InferenceTable(dynamodb.Table):
    """Items by `id`; those with `expires` go by themselves."""

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, key: kms.IKey, removal_policy: RemovalPolicy
    ) -> None:
        """Make the table called `name`: the judge of an experiment has to name it."""
        super().__init__(
            scope,
            construct_id,
            table_name=name,
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires",
            # Without protection against deletion: it would keep an empty table whose stack failed, and its name.
            removal_policy=removal_policy,
        )
        backup = "it holds outcomes of running experiments and the quotas of the day; point-in-time recovery is on"
        acknowledge(self, {"NIST.800.53.R5-DynamoDBInBackupPlan": backup})
