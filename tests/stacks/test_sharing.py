"""Every way in which the four accounts and their regions can be one and the same, synthesized.

Fifteen partitions of four accounts times fifteen of their regions are 225 ways; 137 of them differ by more than which
of staging and prod is called which. The stacks that hold the policies between accounts are synthesized for each of
these, a model's own stacks for each partition of the accounts, and of the regions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from mlops_constructs.settings import Environment, Environments, ModelSettings, Settings, load_settings
from stacks.composition import compose_settings
from tests.conftest import ROOT, Template, context, read_templates

PLACES = ("data_science", "tools", "staging", "prod")
ACCOUNTS = ("111122223333", "222233334444", "333344445555", "444455556666")
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-northeast-1")
ORGANIZATION = "o-a1b2c3d4e5"
LIMITS = {"KeyPolicy": 32_768, "AssumeRolePolicyDocument": 2_048, "PolicyDocument": 20_480}
"""Characters: KMS, IAM (the default quota of a trust policy), S3."""
POLICIES = (*LIMITS, "RepositoryPolicyText", "ModelPackageGroupPolicy")


def partitions(count: int) -> list[tuple[int, ...]]:
    """Every way to give `count` places to groups, as the number of the group of each place."""
    if count == 0:
        return [()]
    return [(*rest, group) for rest in partitions(count - 1) for group in range(max(rest, default=-1) + 2)]


SHARINGS = partitions(len(PLACES))


def swapped(groups: tuple[int, ...]) -> tuple[int, ...]:
    """The same partition with staging and prod exchanged, its groups numbered in order again."""
    *others, staging, prod = groups
    order = list(dict.fromkeys((*others, prod, staging)))
    return tuple(order.index(group) for group in (*others, prod, staging))


def mirrored(*groups: tuple[int, ...]) -> bool:
    """Whether the ways with staging and prod exchanged have been looked at before."""
    return tuple(map(swapped, groups)) < groups


WAYS = [(accounts, regions) for accounts in SHARINGS for regions in SHARINGS if not mirrored(accounts, regions)]


def environments(
    accounts: Sequence[int], regions: Sequence[int], organization: str | None = ORGANIZATION
) -> Environments:
    placed = {
        place: Environment(account=ACCOUNTS[account], region=REGIONS[region])
        for place, account, region in zip(PLACES, accounts, regions, strict=True)
    }
    return Environments(organization=organization, dev=placed["tools"], **placed)


def synthesized(output: Path, settings: Environments, models: dict[str, ModelSettings]) -> dict[str, Template]:
    # Templates alone: each of the stacks is validated where its own tests synthesize it.
    app = cdk.App(
        outdir=str(output),
        context=context(),
        analytics_reporting=False,
        builtin_cloud_formation_validation=False,
        stack_traces=False,
        tree_metadata=False,
    )
    compose_settings(app, Settings(environments=settings, models=models, manual={}))
    app.synth()
    return read_templates(output)


def documents(templates: dict[str, Template]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Where, which kind of policy, and its statements."""
    for stack, template in templates.items():
        for name, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            for kind in POLICIES:
                if kind in properties:
                    yield f"{stack}/{name}", kind, properties[kind]["Statement"]
            if resource["Type"] == "AWS::Events::EventBusPolicy":
                yield f"{stack}/{name}", "EventBusPolicy", [properties["Statement"]]


def repeated(values: Any) -> bool:
    texts = [json.dumps(value, sort_keys=True) for value in (values if isinstance(values, list) else [values])]
    return len(texts) != len(set(texts))


def faults(templates: dict[str, Template]) -> list[str]:
    """What is wrong with the policies: repetitions, sizes, principals of nobody."""
    found = []
    for where, kind, statements in documents(templates):
        if len(json.dumps(statements, separators=(",", ":"))) > LIMITS.get(kind, 20_480):
            found.append(f"{where}: {kind} is too long")
        if repeated(statements):
            found.append(f"{where}: the same statement twice")
        if repeated([one["Sid"] for one in statements if "Sid" in one]):
            found.append(f"{where}: the same Sid twice")
        for statement in statements:
            values = [statement.get(key, []) for key in ("Action", "Resource")]
            values += [*statement.get("Principal", {}).values()] if statement.get("Principal") != "*" else []
            values += [value for keys in statement.get("Condition", {}).values() for value in keys.values()]
            if any(repeated(value) for value in values):
                found.append(f"{where}: {statement.get('Sid', 'a statement')} names something twice")
            if kind != "PolicyDocument" and not statement.get("Principal"):
                found.append(f"{where}: {statement.get('Sid', 'a statement')} admits nobody")
    return found


def admitted(templates: dict[str, Template]) -> set[str]:
    """Every role of another place that a policy admits, by its ARN."""
    arns = set()
    for _, _, statements in documents(templates):
        for statement in statements:
            named = statement.get("Condition", {}).get("ArnLike", {}).get("aws:PrincipalArn", [])
            arns |= {named} if isinstance(named, str) else set(named)
    return arns


def stacks_by_place(output: Path) -> dict[str, str]:
    manifest = json.loads((output / "manifest.json").read_text())["artifacts"]
    return {
        name: one["environment"].removeprefix("aws://")
        for name, one in manifest.items()
        if one["type"] == "aws:cloudformation:stack"
    }


@pytest.mark.parametrize("accounts", SHARINGS, ids=lambda groups: "".join(map(str, groups)))
def test_any_accounts_and_any_regions_may_be_the_same(accounts: tuple[int, ...], tmp_path: Path) -> None:
    for regions in (regions for one, regions in WAYS if one == accounts):
        settings = environments(accounts, regions)
        output = tmp_path / "".join(map(str, regions))
        templates = synthesized(output, settings, {})
        assert faults(templates) == [], regions
        remote = settings.remote_targets()
        assert {name for name in templates if name.endswith("-target")} == {f"mlops-{one}-target" for one in remote}
        tools = f"arn:aws:iam::{settings.tools.account}:role/mlops"
        targets = {
            f"arn:aws:iam::{getattr(settings, target).account}:role/mlops-{target}-{kind}"
            for target in remote
            for kind in ("execution", "pipeline")
        }
        hands = {f"{tools}/{duty}/*" for duty in ("pipeline", "verification") if remote}
        assert settings.data_science is not None
        handed = {f"{tools}/intake/*", f"arn:aws:iam::{settings.data_science.account}:role/mlops/handover/*"}
        assert admitted(templates) - handed == targets | hands, regions
        places = stacks_by_place(output)
        for target in remote:
            environment = getattr(settings, target)
            assert places[f"mlops-{target}-target"] == f"{environment.account}/{environment.region}"


@pytest.fixture(scope="module")
def abalone() -> dict[str, ModelSettings]:
    """The model that data scientists hand over."""
    return load_settings(ROOT / "config", models=["abalone"]).models


@pytest.mark.parametrize(
    ("accounts", "regions"),
    [way for way in WAYS if way[1] == SHARINGS[0] or way[0] == SHARINGS[-1]],
    ids=lambda groups: "".join(map(str, groups)),
)
def test_a_model_is_handed_over_and_deployed_wherever_the_accounts_are(
    accounts: tuple[int, ...], regions: tuple[int, ...], tmp_path: Path, abalone: dict[str, ModelSettings]
) -> None:
    settings = environments(accounts, regions)
    templates = synthesized(tmp_path, settings, abalone)
    assert faults(templates) == []
    places = stacks_by_place(tmp_path)
    for place in ("staging", "prod"):
        environment = getattr(settings, place)
        assert places[f"mlops-abalone-{place}"] == f"{environment.account}/{environment.region}"
    (pipeline,) = (
        one["Properties"]
        for one in templates["mlops-abalone"]["Resources"].values()
        if one["Type"] == "AWS::CodePipeline::Pipeline"
    )
    changing = {
        stage["Name"].lower(): action
        for stage in pipeline["Stages"]
        for action in stage["Actions"]
        if action["Name"] == "ChangeSet"
    }
    for target in ("staging", "prod"):
        remote = settings.is_remote(target)
        role = f"arn:aws:iam::{getattr(settings, target).account}:role/mlops-{target}-pipeline"
        assert changing[target].get("RoleArn") == (role if remote else None)
        elsewhere = getattr(settings, target).region != settings.tools.region
        assert changing[target].get("Region") == (getattr(settings, target).region if elsewhere else None)


def test_without_an_organization_the_listed_accounts_alone_are_admitted(tmp_path: Path) -> None:
    templates = synthesized(tmp_path, environments((0, 1, 2, 3), (0, 0, 0, 0), None), {})
    assert faults(templates) == []
    assert "PrincipalOrgID" not in json.dumps(templates)
    roots = {
        principal
        for _, _, statements in documents(templates)
        for statement in statements
        for principal in [statement.get("Principal", {})]
        if "ArnLike" in statement.get("Condition", {}) and principal != "*" and "AWS" in principal
        for principal in [json.dumps(principal["AWS"])]
    }
    assert roots
    assert all(any(account in root for account in ACCOUNTS) for root in roots)


def test_no_way_is_left_out_but_mirrors() -> None:
    assert len(SHARINGS) == 15
    assert len(WAYS) == 137
    for accounts in SHARINGS:
        for regions in SHARINGS:
            assert (accounts, regions) in WAYS or (swapped(accounts), swapped(regions)) in WAYS


def test_faults_are_noticed() -> None:
    admits = {
        "Sid": "Admits",
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:GetObject"],
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Resource": "*",
    }
    nobody = {"Sid": "Admits", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Principal": {}}
    resources = {"Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": [admits, admits, nobody]}}}}
    assert faults({"stack": {"Resources": resources}}) == [
        "stack/Key: the same statement twice",
        "stack/Key: the same Sid twice",
        "stack/Key: Admits names something twice",
        "stack/Key: Admits names something twice",
        "stack/Key: Admits admits nobody",
    ]
