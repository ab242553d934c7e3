"""Governed sandboxes: the roles of people, the catalog, and what its products need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import CfnOutput, CfnParameter, Fn, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from mlops_constructs.accounts import Accounts
from mlops_constructs.personas import Approver, Auditor, DataScientist, MlEngineer
from mlops_constructs.retention import RETAIN
from mlops_constructs.sandbox import Sandbox, network_of
from mlops_constructs.sandbox_budget import CostCenterBudget
from mlops_constructs.sandbox_portfolio import PRODUCTS, Catalog, CatalogAccess, SandboxPortfolio
from mlops_constructs.sandbox_products import export_name
from mlops_constructs.settings import Environment
from mlops_constructs.settings.sandbox import Sandbox as SandboxSettings
from stacks.data_science import DataScienceStack
from stacks.foundation import FoundationStack

IDLE_STOP = Path(__file__).resolve().parents[1] / "containers" / "sandbox" / "idle_stop.py"


def add_sandboxes(
    app: cdk.App,
    accounts: Accounts,
    *,
    foundation: FoundationStack,
    data_science: DataScienceStack,
    models: Sequence[str],
    options: Callable[[Environment, str | None], dict[str, Any]],
) -> Iterator[tuple[Stack, Environment]]:
    """Add the stacks of the sandboxes, if there are any, and yield each with the environment whose owner deploys it.

    `models` are those that candidates are handed over for; `options` returns what every stack in an environment, and
    in a region, gets.
    """
    settings, project = accounts.environments.sandbox, accounts.project
    if settings is None:
        return
    tools, place = accounts.tools, accounts.data_science
    common: dict[str, Any] = {"accounts": accounts, "settings": settings}
    yield PersonaStack(app, f"{project}-personas", foundation=foundation, **common, **options(tools, None)), tools
    if place.account != tools.account:
        portfolio = f"{project}-sandbox-portfolio"
        yield SandboxPortfolioStack(app, portfolio, **common, **options(tools, place.region)), tools
    sandbox = SandboxStack(
        app, f"{project}-sandbox", models=models, data_science=data_science, **common, **options(place, None)
    )
    yield sandbox, place


class PersonaStack(Stack):
    """The people who work with the pipelines, in the account of the tools."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        accounts: Accounts,
        settings: SandboxSettings,
        foundation: FoundationStack,
        **options: Any,
    ) -> None:
        """Make their roles; the key of `foundation` encrypts the data and the reports of the runs."""
        super().__init__(scope, construct_id, **options)
        key = foundation.shared_with(self).key
        who = {"accounts": accounts, "personas": settings.personas}
        MlEngineer(self, "MlEngineer", key=key, **who)
        Approver(self, "Approver", key=key, **who)
        Auditor(self, "Auditor", **who)


class SandboxPortfolioStack(Stack):
    """The catalog in the account of the tools, in the region of the data scientists, shared with their account."""

    def __init__(
        self, scope: Construct, construct_id: str, *, accounts: Accounts, settings: SandboxSettings, **options: Any
    ) -> None:
        """Publish the products; the outputs are the parameters of the stack of the sandboxes."""
        super().__init__(scope, construct_id, **options)
        published = SandboxPortfolio(
            self,
            "Catalog",
            project=accounts.project,
            sandbox=settings,
            network=network_of(accounts),
            share_with=accounts.data_science.account,
        )
        CfnOutput(self, "PortfolioId", value=published.catalog.portfolio_id)
        for name, product_id in published.catalog.product_ids.items():
            CfnOutput(self, f"{name}ProductId", value=product_id)


class SandboxStack(Stack):
    """What the account of the data scientists has: sandboxes to launch, who launches them, and who pays."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        accounts: Accounts,
        settings: SandboxSettings,
        models: Sequence[str],
        data_science: DataScienceStack,
        **options: Any,
    ) -> None:
        """Make the sandboxes; candidates of `models` are handed over from there, with the key of `data_science`."""
        super().__init__(scope, construct_id, **options)
        self._accounts, self._settings = accounts, settings
        self.add_stack_dependency(data_science)
        candidates_key = kms.Key.from_key_arn(self, "CandidatesKey", Fn.import_value(data_science.export("KeyArn")))
        sandbox = Sandbox(
            self,
            "Sandbox",
            accounts=accounts,
            settings=settings,
            idle_program=IDLE_STOP,
            removal_policy=RETAIN,
        )
        for name, value in sandbox.exported().items():
            self.export_value(value, name=export_name(accounts.project, name))
        people = DataScientist(
            self,
            "DataScientist",
            accounts=accounts,
            personas=settings.personas,
            models=models,
            bucket_arn=sandbox.bucket.bucket_arn,
            key=sandbox.key,
            candidates_key=candidates_key,
        )
        CatalogAccess(
            self,
            "Access",
            project=accounts.project,
            catalog=self._catalog(),
            launch_roles=sandbox.launch_roles,
            users=people,
            cost_centers=list(settings.cost_centers),
        )
        for center, dollars in settings.cost_centers.items():
            CostCenterBudget(
                self,
                f"Budget{center}",
                project=accounts.project,
                cost_center=center,
                dollars=dollars,
                notify=settings.notify,
            )

    def _catalog(self) -> Catalog:
        """Return the catalog: the own one, or that of the tools account, whose ids only a deployment knows."""
        accounts = self._accounts
        if accounts.data_science.account == accounts.tools.account:
            return SandboxPortfolio(
                self,
                "Catalog",
                project=accounts.project,
                sandbox=self._settings,
                network=network_of(accounts),
                share_with=None,
            ).catalog
        source = f"{accounts.project}-sandbox-portfolio"
        portfolio, *products = (
            CfnParameter(self, name, description=f"Output {name} of the stack {source}", allowed_pattern=pattern)
            for name, pattern in (
                ("PortfolioId", "port-[a-z0-9]+"),
                *((f"{product}ProductId", "prod-[a-z0-9]+") for product in PRODUCTS),
            )
        )
        ids = dict(zip(PRODUCTS, (one.value_as_string for one in products), strict=True))
        return Catalog(portfolio_id=portfolio.value_as_string, product_ids=ids, offers=None)
