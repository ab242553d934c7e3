"""What becomes of stateful resources when their stack goes."""

from __future__ import annotations

from aws_cdk import RemovalPolicy

RETAIN = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
"""Kept, except when the very deployment that makes them fails: what is empty must not block the next attempt."""


def retention(policy: str) -> RemovalPolicy:
    """Return CDK's policy for `removal_policy` of a model, "retain" or "destroy"."""
    return {"retain": RETAIN, "destroy": RemovalPolicy.DESTROY}[policy]
