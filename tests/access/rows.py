"""One line of the access table, and the names that its lines use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.access.who import ACCOUNTS, REGION, RULES

TARGETS = ("staging", "prod")
TOOLS, DATA_SCIENCE = ACCOUNTS["tools"], ACCOUNTS["data science"]
ARTIFACTS = f"arn:aws:s3:::mlops-artifacts-{TOOLS}-{REGION}"
DATA = f"arn:aws:s3:::mlops-data-{TOOLS}-{REGION}"
CANDIDATES = f"arn:aws:s3:::mlops-candidates-{DATA_SCIENCE}-{REGION}"
STACKS = {
    "tools": "mlops-foundation",
    "staging": "mlops-staging-target",
    "prod": "mlops-prod-target",
    "data science": "mlops-data-science",
}
"""The stack of each account that has its key and its topic."""


@dataclass(frozen=True)
class Row:
    """Actions on resources, and who may do all of them.

    A resource is an ARN, "role <who>", or the {construct path} of what has no name of its own.
    """

    what: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    who: tuple[str, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict, hash=False)
    administered: bool = True
    """The administrators of the resource's account may, without being named."""


def row(
    what: str,
    actions: str,
    *resources: str,
    who: str = "",
    administered: bool = True,
    given: Mapping[str, str] | None = None,
    **context: str,
) -> Row:
    """Return a row; `actions` and `who` are lists; condition keys are `given`, or written with _ for :."""
    keys = {**(given or {}), **{name.replace("_", ":", 1): value for name, value in context.items()}}
    names = tuple(name.strip() for name in who.split(",") if name.strip())
    return Row(what, tuple(actions.split()), resources, names, keys, administered)


def through(service: str) -> str:
    """Return the value of kms:ViaService for a service."""
    return f"{service}.{REGION}.amazonaws.com"


def events(place: str) -> str:
    """Return EventBridge as it delivers for an account, and for those of its rules that have names here."""
    return f"events for {place}" + ("".join(f", {rule}" for rule in RULES) if place == "tools" else "")


def both(*names: str) -> str:
    """Return the roles of both models."""
    return ", ".join(f"{name} of {model}" for name in names for model in ("abalone", "iris"))
