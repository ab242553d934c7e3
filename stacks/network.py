"""The private network of an account and region, where its settings ask for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import Stack
from constructs import Construct

from mlops_constructs import DataKey, PrivateNetwork, ServiceEndpoints
from mlops_constructs.network import maker_id, network_stack
from mlops_constructs.retention import RETAIN
from mlops_constructs.service_endpoints import API, FUNCTIONS, SANDBOXES, Service
from mlops_constructs.settings import Environment, EnvironmentName, Environments, ModelSettings, Network, Settings
from mlops_constructs.settings.network_rules import ENVIRONMENTS, networks
from mlops_constructs.settings.xgboost_images import ACCOUNTS


class NetworkStack(Stack):
    """A VPC without internet, and endpoints of the AWS services that are called from it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        network: Network,
        services: Sequence[Service],
        accounts: Sequence[str],
        image_accounts: Sequence[str],
        **options: Any,
    ) -> None:
        """Make `network` for the `accounts` of the project; other stacks import what is exported here."""
        super().__init__(scope, construct_id, **options)
        made = PrivateNetwork(
            self, "Network", network=network, key=DataKey(self, "Key", removal_policy=RETAIN), removal_policy=RETAIN
        )
        ServiceEndpoints(
            self,
            "Endpoints",
            network=made,
            services=services,
            accounts=accounts,
            image_accounts=image_accounts,
        )
        self._export("Vpc", made.vpc.ref)
        for zone, subnet in enumerate(made.subnets, start=1):
            self._export(f"Subnet{zone}", subnet.ref)
        self._export("JobSecurityGroup", made.job_group.attr_group_id)
        self._export("FunctionSecurityGroup", made.function_group.attr_group_id)
        self._export("EndpointSecurityGroup", made.endpoint_group.attr_group_id)

    def _export(self, name: str, value: str) -> None:
        self.export_value(value, name=f"{self.stack_name}:{name}")


def add_networks(
    app: cdk.App, settings: Settings, *, options: Callable[[Environment, str | None], dict[str, Any]]
) -> Iterator[tuple[NetworkStack, Environment]]:
    """Add a stack for each network that is to be made, and yield it with the environment whose owner deploys it."""
    environments = settings.environments
    every = [environment for name in ENVIRONMENTS if (environment := getattr(environments, name)) is not None]
    made = set()
    for _, environment, network in networks(environments):
        place = (environment.account, environment.region)
        if network.cidr is None or place in made:
            continue
        made.add(place)
        yield (
            NetworkStack(
                app,
                maker_id(environments, *place),
                stack_name=network_stack(environments.project),
                network=network,
                services=_services(environments, place),
                accounts=sorted({one.account for one in every}),
                image_accounts=_image_accounts(settings.models.values(), environment.region),
                **options(environment, None),
            ),
            environment,
        )


def _services(environments: Environments, place: tuple[str, str]) -> list[Service]:
    """Return the services that are called in an account and region, by what runs there."""
    targets = [getattr(environments, target) for target in EnvironmentName]
    users = [
        (environments.tools, FUNCTIONS),
        (environments.data_science, SANDBOXES),
        *((target, API) for target in targets if target.api is not None),
    ]
    return [
        service
        for environment, services in users
        if environment is not None and (environment.account, environment.region) == place
        for service in services
    ]


def _image_accounts(models: Iterable[ModelSettings], region: str) -> list[str]:
    """Return the accounts that images come from, besides those of the project."""
    images = [model.container.image for model in models if model.container is not None]
    return sorted({ACCOUNTS[region], *(image.partition(".")[0] for image in images if image is not None)})
