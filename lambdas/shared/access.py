"""With which role, and in which region, a function reaches a service."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from lambdas.shared.events import Event


class Access(Event):
    """The way to resources that may belong to another account or region; nothing is filled in by itself."""

    role_arn: Annotated[str, StringConstraints(pattern=r"^(arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+)?$")]
    """A role to assume; empty for the function's own."""
    region: Annotated[str, StringConstraints(pattern=r"^([a-z]{2}(-[a-z]+)+-\d+)?$")]
    """Empty for the function's own."""

    @property
    def is_remote(self) -> bool:
        """Whether the resources are elsewhere."""
        return bool(self.role_arn or self.region)
