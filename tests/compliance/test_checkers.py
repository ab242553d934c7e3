"""The checkers of others, each with a sentinel that shows that it ran."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks
from cfnlint.config import ConfigMixIn, ManualArgs
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner

import app

ROOT = Path(__file__).resolve().parents[2]
PACKS: tuple[Callable[[], cdk.IPolicyValidationPlugin], ...] = (AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks)
LINT_EXCEPTIONS = {"W3005": "aws-cdk-lib writes DependsOn beside the reference that implies it"}
SHORTEST_REASON = 20


def nag_report(application: cdk.App, output: Path) -> list[dict[str, Any]]:
    for pack in PACKS:
        cdk.Validations.of(application).add_plugins(pack())
    try:
        application.synth()
    except RuntimeError as error:
        assert "validation-report.json" in str(error)  # noqa: PT017 - a finding makes synth raise; the report says which
    return list(json.loads((output / "validation-report.json").read_text())["pluginReports"])


def findings(report: list[dict[str, Any]], key: str = "violations") -> list[str]:
    return [
        f"{violation['ruleName']} at {place['constructPath']}"
        for plugin in report
        for violation in plugin.get(key, [])
        for place in violation["violatingConstructs"]
    ]


@pytest.fixture(scope="module")
def nag(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    output = tmp_path_factory.mktemp("nag") / "cdk.out"
    application = cdk.App(outdir=str(output), context=json.loads((ROOT / "cdk.json").read_text())["context"])
    app.compose(application)
    return nag_report(application, output)


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(nag: list[dict[str, Any]]) -> None:
    assert findings(nag) == []


def test_cdk_nag_ran_over_the_stacks(nag: list[dict[str, Any]]) -> None:
    """A clean report looks like one of packs that never ran; the acknowledged findings show that they did."""
    acknowledged = findings(nag, "suppressedViolations")
    assert any("S3BucketReplicationEnabled at mlops-foundation/Data" in one for one in acknowledged)
    assert any("LambdaDLQ at mlops-churn/Model/Functions/QualityGate" in one for one in acknowledged)


def test_every_acknowledgement_is_needed_and_gives_a_reason(nag: list[dict[str, Any]]) -> None:
    for plugin in nag:
        for violation in plugin.get("suppressedViolations", []):
            assert len(json.dumps(violation)) > SHORTEST_REASON


def test_cdk_nag_notices_a_bad_bucket(tmp_path: Path) -> None:
    output = tmp_path / "cdk.out"
    application = cdk.App(outdir=str(output))
    s3.Bucket(cdk.Stack(application, "Bad"), "Bucket")
    found = findings(nag_report(application, output))
    assert {"AwsSolutions-S1", "NIST.800.53.R5-S3BucketLoggingEnabled"} <= {one.split(" at ")[0] for one in found}


@functools.cache
def linter() -> Runner:
    """cfn-lint with its rules, which take longer to load than most templates take to check."""
    return Runner(ConfigMixIn(**ManualArgs(regions=["eu-west-1"], ignore_checks=list(LINT_EXCEPTIONS))))


def lint_problems(template: str) -> list[str]:
    decoded, problems = decode_str(template)
    matches = problems or linter().validate_template(decoded)
    return [f"{match.rule.id} {match.message}" for match in matches]


def test_cfn_lint_finds_nothing(assembly_dir: Path) -> None:
    paths = sorted(assembly_dir.glob("*.template.json"))
    manifest = json.loads((assembly_dir / "manifest.json").read_text())["artifacts"].values()
    stacks = [one["properties"]["templateFile"] for one in manifest if one["type"] == "aws:cloudformation:stack"]
    assert len(stacks) >= 5
    assert [path.name for path in paths] == sorted(stacks)
    assert {path.name: found for path in paths if (found := lint_problems(path.read_text()))} == {}


def test_cfn_lint_notices_a_missing_property() -> None:
    bad = {"Resources": {"Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": {}}}}
    assert any(one.startswith("E") for one in lint_problems(json.dumps(bad)))


def checkov(folder: Path) -> dict[str, Any]:
    command = [
        str(ROOT / ".venv-checkov" / "bin" / "checkov"),
        *("--directory", str(folder), "--framework", "cloudformation", "--skip-download", "--output", "json"),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert answer.stdout, answer.stderr
    return dict(json.loads(answer.stdout))


def test_checkov_finds_nothing_that_is_not_acknowledged(assembly_dir: Path, tmp_path: Path) -> None:
    for path in assembly_dir.glob("*.template.json"):
        (tmp_path / path.name).write_text(path.read_text())
    report = checkov(tmp_path)
    assert [f"{one['check_id']} {one['resource']}" for one in report["results"]["failed_checks"]] == []
    assert report["summary"]["passed"] > 100
    skipped = report["results"]["skipped_checks"]
    assert skipped
    assert all(len(one["check_result"]["suppress_comment"]) >= SHORTEST_REASON for one in skipped)


def test_checkov_notices_a_bad_bucket(tmp_path: Path) -> None:
    bad = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}}},
    }
    (tmp_path / "bad.template.json").write_text(json.dumps(bad))
    assert checkov(tmp_path)["summary"]["failed"] > 0
