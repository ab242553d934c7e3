"""The catalog: products, published by the account of the tools, launched in the account of the data scientists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import CfnResource
from aws_cdk import aws_servicecatalog as servicecatalog
from constructs import Construct

from mlops_constructs.roles import ProductRole
from mlops_constructs.sandbox_products import NotebookProduct, SandboxProduct, StudioProduct
from mlops_constructs.sandbox_roles import LaunchRole
from mlops_constructs.settings import Network
from mlops_constructs.settings.sandbox import Sandbox

NOTEBOOK: Final = "Notebook"
STUDIO: Final = "Studio"
PRODUCTS: Final[Mapping[str, tuple[type[SandboxProduct], str]]] = {
    NOTEBOOK: (NotebookProduct, "A notebook instance: no internet, no root, encrypted, stops when idle"),
    STUDIO: (StudioProduct, "A private JupyterLab space in Studio: no internet, encrypted, stops when idle"),
}
COST_CENTER: Final = "cost-center"
"""The key of the tag that says who pays."""


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """The ids of a portfolio and its products, as Service Catalog gives them."""

    portfolio_id: str
    product_ids: Mapping[str, str]
    offers: Mapping[str, CfnResource] | None
    """What puts each product into the portfolio; None for the portfolio of another account, which shares it."""


class SandboxPortfolio(Construct):
    """The portfolio and its products; with `share_with`, for another account of the same region."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        sandbox: Sandbox,
        network: Network,
        share_with: str | None,
    ) -> None:
        """Publish the products of `project`, which are launched into `network`."""
        super().__init__(scope, construct_id)
        self._project, self._sandbox, self._network = project, sandbox, network
        self._portfolio = servicecatalog.CfnPortfolio(
            self,
            "Portfolio",
            display_name=f"{project} sandboxes",
            provider_name=project,
            description="Where data scientists of this project work",
        )
        products = {name: self._product(name, kind, text) for name, (kind, text) in PRODUCTS.items()}
        offers = {name: self._offer(name, product_id) for name, product_id in products.items()}
        if share_with is not None:
            servicecatalog.CfnPortfolioShare(
                self, "Share", portfolio_id=self._portfolio.ref, account_id=share_with, share_tag_options=False
            )
        self.catalog = Catalog(portfolio_id=self._portfolio.ref, product_ids=products, offers=offers)

    def _product(self, name: str, kind: type[SandboxProduct], description: str) -> str:
        template = kind(self, name, project=self._project, sandbox=self._sandbox, network=self._network)
        product = servicecatalog.CloudFormationProduct(
            self,
            f"{name}Product",
            product_name=f"{self._project} {name.lower()}",
            owner=self._project,
            description=description,
            product_versions=[
                servicecatalog.CloudFormationProductVersion(
                    product_version_name="current",
                    cloud_formation_template=servicecatalog.CloudFormationTemplate.from_product_stack(template),
                )
            ],
        )
        return product.product_id

    def _offer(self, name: str, product_id: str) -> CfnResource:
        return servicecatalog.CfnPortfolioProductAssociation(
            self, f"{name}Association", portfolio_id=self._portfolio.ref, product_id=product_id
        )


class CatalogAccess(Construct):
    """Who launches the products of a catalog in this account, as which role, and who pays."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: str,
        catalog: Catalog,
        launch_roles: Mapping[str, LaunchRole],
        users: ProductRole,
        cost_centers: Sequence[str],
    ) -> None:
        """Let `users` launch each product as its role; a shared catalog is taken into a portfolio of this account."""
        super().__init__(scope, construct_id)
        self._project, self._catalog = project, catalog
        portfolio_id, offers = self._import() if catalog.offers is None else (catalog.portfolio_id, catalog.offers)
        for name, role in launch_roles.items():
            constraint = servicecatalog.CfnLaunchRoleConstraint(
                self,
                f"{name}Launch",
                portfolio_id=portfolio_id,
                product_id=catalog.product_ids[name],
                role_arn=role.arn,
                description="The person who launches it needs no permission for its parts",
            )
            role.required_by(constraint)
            constraint.add_resource_dependency(offers[name])
        servicecatalog.CfnPortfolioPrincipalAssociation(
            self, "Users", portfolio_id=portfolio_id, principal_arn=users.arn, principal_type="IAM"
        )
        for center in cost_centers:
            option = servicecatalog.CfnTagOption(self, f"CostCenter{center}", key=COST_CENTER, value=center)
            servicecatalog.CfnTagOptionAssociation(
                self, f"CostCenter{center}Association", resource_id=portfolio_id, tag_option_id=option.ref
            )

    def _import(self) -> tuple[str, Mapping[str, CfnResource]]:
        """Take the products of the shared portfolio into one of this account, where this account sets constraints."""
        accepted = servicecatalog.CfnAcceptedPortfolioShare(
            self, "AcceptedShare", portfolio_id=self._catalog.portfolio_id
        )
        local = servicecatalog.CfnPortfolio(
            self,
            "Portfolio",
            display_name=f"{self._project} sandboxes here",
            provider_name=self._project,
            description="The products of the tools account, as this account launches them",
        )
        offers = {}
        for name, product_id in self._catalog.product_ids.items():
            offers[name] = servicecatalog.CfnPortfolioProductAssociation(
                self,
                f"{name}Association",
                portfolio_id=local.ref,
                product_id=product_id,
                source_portfolio_id=self._catalog.portfolio_id,
            )
            offers[name].add_resource_dependency(accepted)
        return local.ref, offers
