"""What sandboxes may cost, and who hears of it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from mlops_constructs.sandbox_portfolio import COST_CENTER

WARNINGS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""When somebody is told: what kind of costs reach how many percent of the budget."""


class CostCenterBudget(Construct):
    """The monthly budget of one cost center: everything in the account that has its tag.

    AWS counts a tag from the day on which it is activated as a cost allocation tag in the account that pays.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        cost_center: str,
        dollars: int,
        notify: Sequence[str],
    ) -> None:
        """Tell the addresses `notify` when the costs of `cost_center` come near to `dollars` a month."""
        super().__init__(scope, construct_id)
        budget = budgets.CfnBudget
        subscribers = [budget.SubscriberProperty(address=email, subscription_type="EMAIL") for email in notify]
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budget.BudgetDataProperty(
                budget_name=f"{project}-sandbox-{cost_center}",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budget.SpendProperty(amount=dollars, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:{COST_CENTER}${cost_center}"]},
            ),
            notifications_with_subscribers=[
                budget.NotificationWithSubscribersProperty(
                    notification=budget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=subscribers,
                )
                for kind, percent in WARNINGS
            ],
        )
