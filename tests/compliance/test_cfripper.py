from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compliance import cfripper
from tests.compliance.cfripper import Found
from tests.compliance.reading import Template
from tests.compliance.test_policies import STAR_REASONS


@pytest.fixture(scope="module")
def found(assembly_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    folders = cfripper.by_account(assembly_dir, tmp_path_factory.mktemp("cfripper"))
    return [one for account, folder in folders.items() for one in cfripper.run(folder, account)]


def test_cfripper_finds_nothing_that_is_not_acknowledged(found: list[Found], templates: dict[str, Template]) -> None:
    assert cfripper.unacknowledged(found, templates, STAR_REASONS) == []


def test_cfripper_ran_over_the_stacks(found: list[Found]) -> None:
    assert ("WildcardResourceRule", "codepipeline:PutJobFailureResult") in {(one.rule, one.action) for one in found}


def test_cfripper_notices_a_role_that_everybody_may_assume(tmp_path: Path) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
    }
    bad: Template = {"Resources": {"Role": role}}
    (tmp_path / "bad.template.json").write_text(json.dumps(bad))
    found = cfripper.unacknowledged(cfripper.run(tmp_path, "111122223333"), {"bad": bad}, STAR_REASONS)
    assert found


def test_an_action_on_everything_without_a_reason_is_not_acknowledged(templates: dict[str, Template]) -> None:
    stack, logical_id = next(
        (stack, name)
        for stack, template in templates.items()
        for name, one in template["Resources"].items()
        if one["Type"] == "AWS::IAM::ManagedPolicy" and "Roles" in one["Properties"]
    )
    new = Found(f"{stack}.template.json", "WildcardResourceRule", 'on everything for "s3:GetObject"', (logical_id,))
    assert cfripper.unacknowledged([new], templates, STAR_REASONS) != []
