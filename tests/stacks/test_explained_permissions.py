"""The explanations of permissions that no rehearsal needs."""

from __future__ import annotations

from typing import Any

from mlops.rehearsal.least_privilege import EXPLAINED


def granted(templates: dict[str, Any]) -> set[str]:
    """Return every action that some role of some template is granted, also as "Construct: action"."""
    found: set[str] = set()
    for template in templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] != "AWS::IAM::ManagedPolicy":
                continue
            construct = resource["Metadata"]["aws:cdk:path"].split("/ServiceRole/")[0].rpartition("/")[2]
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                actions = statement["Action"]
                for action in [actions] if isinstance(actions, str) else actions:
                    found |= {action, f"{construct}: {action}"}
    return found


def test_every_explanation_is_still_needed(templates: dict[str, Any]) -> None:
    assert set(EXPLAINED) - granted(templates) == set()
