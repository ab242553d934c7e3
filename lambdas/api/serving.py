"""What an endpoint serves right now, and which of its variants a caller gets."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.api.problems import ProblemError
from lambdas.shared.registry import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KEPT_SECONDS = 30.0
"""How long a description is used again: what an answer says of its version may be that old."""
NEVER_DEPLOYED = "no version of the model has been deployed yet"
RETRY_AFTER = {"Retry-After": "30"}
_ANSWERING = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack"})
CHALLENGER = "challenger"
"""The variant that an A/B test compares with the one in service."""
_VERSION = re.compile(r"-v(\d+)-[0-9a-f]+(?:-c)?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A production variant."""

    name: str
    share: float
    """Of the traffic, 0 to 1."""
    version: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """An endpoint that answers."""

    configuration: str
    variants: tuple[Variant, ...]
    target_model: str | None = None
    """The archive of the model, where several share the endpoint."""

    def version_of(self, name: str) -> int | None:
        """Return the version that the variant `name` serves; None where that is not certain."""
        return next((variant.version for variant in self.variants if variant.name == name), None)

    @property
    def challenger_percent(self) -> int:
        """The part of the traffic that a challenger gets, as a whole number; 0 where there is none."""
        return round(100 * sum(variant.share for variant in self.variants if variant.name == CHALLENGER))

    def assigned(self, assignment_id: str | None) -> str | None:
        """Return the variant for a caller's id; None leaves the choice to SageMaker."""
        if assignment_id is None or len(self.variants) == 1:
            return None
        return assign(position(self.configuration, assignment_id), self.variants)


def position(configuration: str, assignment_id: str) -> float:
    """Return where an id stands between 0 and 1 in the experiment of a configuration: always at the same place."""
    digest = hashlib.sha256(f"{configuration}\n{assignment_id}".encode()).digest()
    return int.from_bytes(digest[:7]) / 2.0**56


def assign(place: float, variants: Sequence[Variant]) -> str:
    """Return the variant whose part of [0, 1) holds `place`: the first variant has the lower end, and so on.

    So the challenger, which is the last one, has the top: when its share grows, nobody leaves it.
    """
    below = 0.0
    for variant in variants[:-1]:
        below += variant.share
        if place < below:
            return variant.name
    return variants[-1].name


class Endpoints:
    """Describes endpoints, not more often than needed."""

    def __init__(
        self, sagemaker: Any, *, parameters: Callable[[], Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Use the client `sagemaker`, and that of Systems Manager where it is needed; `clock` counts seconds."""
        self._sagemaker, self._parameters, self._clock = sagemaker, parameters, clock
        self._known: dict[tuple[str, str | None], tuple[float, Serving]] = {}
        self._models: dict[str, Mapping[str, str]] = {}

    def find(self, name: str, *, current: str | None = None) -> Serving:
        """Return what the endpoint `name` serves, as of at most `KEPT_SECONDS` ago.

        Where several models share it, the parameter `current` names the version of the model in question.

        Raises:
            ProblemError: it does not answer requests (503).
        """
        known = self._known.get((name, current))
        if known is not None and self._clock() - known[0] < KEPT_SECONDS:
            return known[1]
        try:
            serving = self._describe(name)
            if current is not None:
                serving = self._shared(serving, current)
        except (ClientError, BotoCoreError):
            if known is None:
                raise
            serving = known[1]  # SageMaker has no time for the question; the endpoint answers all the same
        self._known[name, current] = (self._clock(), serving)
        return serving

    def forget(self, name: str) -> None:
        """Ask again the next time: the endpoint is not what it was."""
        for place in [place for place in self._known if place[0] == name]:
            del self._known[place]

    def _describe(self, name: str) -> Serving:
        try:
            found = self._sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if "could not find endpoint" in error.response["Error"]["Message"].lower():
                raise ProblemError(503, NEVER_DEPLOYED, headers=RETRY_AFTER) from error
            raise
        status, variants = found["EndpointStatus"], found.get("ProductionVariants") or []
        if status not in _ANSWERING or not variants:
            raise ProblemError(503, f"the endpoint is {status}", headers=RETRY_AFTER)
        configuration = found["EndpointConfigName"]
        versions = self._versions(configuration)
        pending = (found.get("PendingDeploymentSummary") or {}).get("EndpointConfigName", configuration)
        if pending != configuration and self._versions(pending) != versions:
            versions = {}  # two fleets take turns, and an answer does not say which one gave it
        weights = [float(variant.get("CurrentWeight", 1.0)) for variant in variants]
        total = sum(weights) or 1.0
        return Serving(
            configuration=configuration,
            variants=tuple(
                Variant(
                    name=variant["VariantName"],
                    share=weight / total,
                    version=versions.get(variant["VariantName"]),
                )
                for variant, weight in zip(variants, weights, strict=True)
            ),
        )

    def _shared(self, serving: Serving, current: str) -> Serving:
        try:
            value = self._parameters().get_parameter(Name=current)["Parameter"]["Value"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            raise ProblemError(503, NEVER_DEPLOYED, headers=RETRY_AFTER) from error
        named = json.loads(value)
        version = version_of(named["modelPackageArn"])
        variants = tuple(replace(variant, version=version) for variant in serving.variants)
        return replace(serving, variants=variants, target_model=named["targetModel"])

    def _versions(self, configuration: str) -> dict[str, int]:
        """Return the version of each variant; a configuration never changes, so it is asked for once."""
        if configuration not in self._models:
            found = self._sagemaker.describe_endpoint_config(EndpointConfigName=configuration)
            names = {variant["VariantName"]: variant.get("ModelName", "") for variant in found["ProductionVariants"]}
            self._models[configuration] = names
        numbers = {name: _VERSION.search(model) for name, model in self._models[configuration].items()}
        return {name: int(number[1]) for name, number in numbers.items() if number}
