"""Findings of the checkers that are right in general and wrong here: each beside its resource, with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings on `construct`; `reasons` are by the finding's id.

    Ids: `AwsSolutions-...`, `NIST.800.53.R5-...`, `Serverless-...` of cdk-nag, `CKV_...`, `CKV2_...` of checkov.
    """
    checkov = [{"id": finding, "comment": reason} for finding, reason in reasons.items() if finding.startswith("CKV")]
    if checkov:
        _add_metadata(construct, "checkov", "skip", checkov)
    # All in one call: each crosses to the CDK's own process.
    rules = [
        Acknowledgment(id=f"{_pack(finding)}::{finding}", reason=reason)
        for finding, reason in reasons.items()
        if not finding.startswith("CKV")
    ]
    if rules:
        Validations.of(construct).acknowledge(*rules)


def flat(value: Any) -> str:
    """Return a resolved ARN as cdk-nag writes it in the id of a finding."""
    if isinstance(value, list):
        return "".join(flat(one) for one in value)
    if not isinstance(value, dict):
        return str(value)
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return str(argument[0]).join(flat(one) for one in argument[1])
    if function == "Fn::GetAtt":
        return f"<{'.'.join(argument)}>"
    if function == "Ref":
        return f"<{argument}>"
    return flat(argument)


def _pack(finding: str) -> str:
    # Only the prefixed id leaves a trace in the report; the pack's name stands before the first '-' or '.'.
    return "NIST.800.53.R5" if finding.startswith("NIST") else finding.split("-", maxsplit=1)[0]


def _resource(construct: IConstruct) -> CfnResource:
    resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
    if not isinstance(resource, CfnResource):
        msg = f"{construct.node.path} is not one resource, so no finding can be acknowledged on it"
        raise TypeError(msg)
    return resource


def _add_metadata(construct: IConstruct, tool: str, key: str, entries: Sequence[Mapping[str, str]]) -> None:
    resource = _resource(construct)
    known = resource.get_metadata(tool) or {}
    resource.add_metadata(tool, {**known, key: [*known.get(key, []), *map(dict, entries)]})
