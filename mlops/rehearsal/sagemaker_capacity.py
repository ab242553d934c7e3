"""What a production variant may run on: instances of one type, of a list of types, or none of its own.

Gap of moto that is closed here: it knows no instance pools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops.rehearsal import sagemaker_api
from mlops.rehearsal.sagemaker_requests import refuse

_KINDS = ("InstanceType", "InstancePools", "ServerlessConfig")


def install() -> None:
    """Hang the checks into moto."""
    from moto.sagemaker.models import FakeEndpointConfig  # noqa: PLC0415 - moto is imported when the server is there

    sagemaker_api.patch(FakeEndpointConfig, validate_production_variants=_validate)


def _validate(self: Any, production_variants: Sequence[Mapping[str, Any]]) -> None:
    for variant in production_variants:
        given = [kind for kind in _KINDS if variant.get(kind)]
        if len(given) != 1:
            name = variant["VariantName"]
            refuse(f"Variant {name} must have one of {', '.join(_KINDS)}, got {', '.join(given) or 'none'}.")
        if variant.get("ServerlessConfig"):
            _check_serverless(self, variant["ServerlessConfig"], variant)
            continue
        if not variant.get("InitialInstanceCount"):
            refuse(f"InitialInstanceCount is required for variant {variant['VariantName']}.")
        pools = variant.get("InstancePools") or [{"InstanceType": variant.get("InstanceType"), "Priority": 1}]
        for pool in pools:
            self.validate_instance_type(pool["InstanceType"])
        for what in ("InstanceType", "Priority"):
            if len({pool[what] for pool in pools}) < len(pools):
                refuse(f"The instance pools of variant {variant['VariantName']} must each have another {what}.")


def _check_serverless(self: Any, serverless: Mapping[str, Any], variant: Mapping[str, Any]) -> None:
    self.validate_serverless_config(serverless)
    if variant.get("InitialInstanceCount"):
        refuse("InitialInstanceCount cannot be used with ServerlessConfig.")
    if serverless.get("ProvisionedConcurrency", 0) > serverless["MaxConcurrency"]:
        refuse("ProvisionedConcurrency must be less than or equal to MaxConcurrency.")
