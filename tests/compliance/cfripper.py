"""cfripper over synthesized templates: each finding is either new, or one of a kind that is acknowledged here."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.compliance.reading import Resource, Template, resources

ROOT = Path(__file__).resolve().parents[2]
_ACTION = re.compile(r'for "([A-Za-z0-9-]+:[A-Za-z]+)"$')
_WILDCARDS = {"WildcardResourceRule", "GenericResourceWildcardPolicyRule", "IAMRoleWildcardActionOnPolicyRule"}
LIMITS = {
    "AWS::IAM::ManagedPolicy": (
        _WILDCARDS,
        "a policy without a role is a permissions boundary: it limits what other policies allow and grants nothing",
    ),
    "AWS::EC2::VPCEndpoint": (
        _WILDCARDS | {"GenericCrossAccountTrustRule", "GenericResourceFullWildcardPrincipalRule"},
        "an endpoint policy limits what passes the endpoint and grants nothing; who and what is in its conditions",
    ),
    "AWS::KMS::Key": (
        {"GenericResourceWildcardPolicyRule"},
        "the account administers its key: without this statement nobody could (KMS, default key policy)",
    ),
}
"""What cfripper finds in policies that do not grant, by the type of the resource: the rules, and why not here."""


@dataclass(frozen=True)
class Found:
    """One finding."""

    template: str
    rule: str
    reason: str
    ids: tuple[str, ...]

    @property
    def action(self) -> str:
        """The action that is allowed on every resource, "" for other findings."""
        match = _ACTION.search(self.reason)
        return match[1] if match else ""


def run(folder: Path, account: str) -> list[Found]:
    """Return what cfripper finds in the templates of `folder`, which are deployed to `account`."""
    names = sorted(path.name for path in folder.glob("*.template.json"))
    results = folder / "cfripper"
    results.mkdir(exist_ok=True)
    command = [
        str(ROOT / ".venv-checkov" / "bin" / "cfripper"),
        *(*names, "--format", "json", "--output-folder", "cfripper", "--aws-account-id", account),
    ]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert answer.returncode in {0, 2}, answer.stderr[-2000:]
    found = []
    for name in names:
        report = json.loads((results / f"{name}.cfripper.results.json").read_text())
        assert report["exceptions"] == [], name
        found += [
            Found(name, one["rule"], one["reason"], tuple(one["resource_ids"]))
            for one in (*report["failures"], *report.get("warnings", []))
        ]
    return found


def unacknowledged(
    found: list[Found], templates: Mapping[str, Template], reasons: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """Return the findings that nothing acknowledges; `reasons` are those of actions that have no resource."""
    by_id = {
        (f"{stack}.template.json", resource.logical_id): resource
        for stack, template in templates.items()
        for resource in resources({stack: template})
    }
    return [
        (one.template, one.rule, one.reason)
        for one in found
        if not all(_acknowledged(one, by_id.get((one.template, name)), reasons) for name in one.ids)
    ]


def _acknowledged(one: Found, resource: Resource | None, reasons: Mapping[str, str]) -> bool:
    if resource is None:
        return False
    kind, properties = resource.body["Type"], resource.properties
    if kind == "AWS::IAM::ManagedPolicy" and "Roles" in properties:
        return one.rule == "WildcardResourceRule" and one.action in reasons
    rules, _ = LIMITS.get(kind, (set(), ""))
    return one.rule in rules


def by_account(assembly: Path, folder: Path, *, only: tuple[str, ...] = ("",)) -> dict[str, Path]:
    """Copy the templates of `assembly` into a folder for each account, products into that of their stack.

    `only` are the beginnings of the names of the stacks that are wanted.
    """
    manifest = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    found: dict[str, Path] = {}
    for name, artifact in manifest.items():
        if artifact["type"] != "aws:cloudformation:stack" or not name.startswith(only):
            continue
        account = artifact["environment"].split("/")[2]
        place = found.setdefault(account, folder / account)
        place.mkdir(exist_ok=True)
        own = [artifact["properties"]["templateFile"], *_products(assembly, name)]
        for template in own:
            (place / template).write_text((assembly / template).read_text())
    return found


def _products(assembly: Path, stack: str) -> list[str]:
    assets: dict[str, Any] = {}
    path = assembly / f"{stack}.assets.json"
    if path.exists():
        assets = json.loads(path.read_text())["files"]
    names = [one["source"]["path"] for one in assets.values()]
    return [name for name in names if str(name).endswith(".product.template.json")]
