"""Where jobs, builds and endpoints run when an environment names its own network."""

from __future__ import annotations

from typing import Any

from mlops_constructs.settings import Network


def vpc_config(network: Network | None) -> dict[str, Any] | None:
    """Return SageMaker's VpcConfig for `network`, or None for SageMaker's own network."""
    if network is None:
        return None
    return {"Subnets": list(network.subnet_ids), "SecurityGroupIds": list(network.security_group_ids)}
