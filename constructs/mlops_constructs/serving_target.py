"""Where a model is deployed to: one environment with its stack, and as whom other accounts let it in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Remote:
    """An environment in another account or region than the tools."""

    region: str
    pipeline_role_arn: str
    """The pipeline becomes it to deploy."""
    observer_role_arn: str
    """The functions of the verification become it."""
    deployment_role_arn: str
    """CloudFormation deploys with it."""
    artifacts: str | None
    """The bucket of the region, where it is not that of the tools."""
    image_uri: str | None
    """The image of the region, where it is not that of the tools."""


@dataclass(frozen=True, kw_only=True)
class ServingTarget:
    """An environment of a model."""

    environment: str
    stack: str
    endpoint: str
    remote: Remote | None
    """None: in the account and region of the tools."""

    @property
    def access(self) -> dict[str, str]:
        """As whom and where a function looks at it; empty: as itself, in its own region."""
        if self.remote is None:
            return {"roleArn": "", "region": ""}
        return {"roleArn": self.remote.observer_role_arn, "region": self.remote.region}
