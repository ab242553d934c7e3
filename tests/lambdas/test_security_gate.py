from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.security_gate import handler
from lambdas.security_gate.adapter import scan
from lambdas.security_gate.events import ScanRules, SecurityEvent
from lambdas.security_gate.logic import Finding, Scan, Severity, judge
from lambdas.shared.decisions import all_passed
from lambdas.shared.errors import EventError, ScanNotFinished
from lambdas.shared.events import read

if TYPE_CHECKING:
    from lambdas.shared.decisions import Check
    from tests.lambdas.conftest import Aws, Bucket, Context, Json

ACCOUNT = "123456789012"
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/mlops-iris@{DIGEST}"
ASKED = {"registryId": ACCOUNT, "repositoryName": "mlops-iris", "imageId": {"imageDigest": DIGEST}}
TODAY = date(2026, 11, 12)
KEY = "iris/runs/run-1/decisions/security.json"


def rules(*allow: Json, **maximum: int | str) -> ScanRules:
    limits = {"critical": 0, "high": 0, "medium": "any", "low": "any"} | maximum
    return read(ScanRules, {"maximum": limits, "allow": list(allow)})


def allowed(name: str, expires: str) -> Json:
    return {"id": name, "reason": "the vulnerable parser is never called", "expires": expires}


def finding(name: str, severity: str, package: str = "openssl") -> Json:
    attributes = [{"key": "package_name", "value": package}, {"key": "package_version", "value": "3.0.1"}]
    return {"name": name, "severity": severity, "attributes": attributes}


def enhanced(name: str, severity: str, **more: str) -> Json:
    packages = [{"name": "openssl", "version": "3.0.1"}, {"name": "libssl3", "version": "3.0.1"}]
    details = {"vulnerabilityId": name, "vulnerablePackages": packages}
    return {"severity": severity, "title": f"{name} - openssl", "packageVulnerabilityDetails": details} | more


def page(*findings: Json, status: str = "COMPLETE", token: str | None = None, kind: str = "findings") -> Json:
    answer: Json = {"imageScanStatus": {"status": status}, "imageScanFindings": {kind: list(findings)}}
    return answer | ({"nextToken": token} if token else {})


@pytest.fixture
def scanned(aws: Aws) -> Callable[..., Scan]:
    """Read a scan that has these pages."""

    def run(*pages: Json) -> Scan:
        stub = aws.stub("ecr")
        for number, each in enumerate(pages):
            token = {"nextToken": pages[number - 1]["nextToken"]} if number else {}
            stub.add_response("describe_image_scan_findings", each, ASKED | token)
        return scan(IMAGE, stub.client)

    return run


def judged(found: Scan, *allow: Json, **maximum: int | str) -> dict[str, Check]:
    return {check.name: check for check in judge(found, rules(*allow, **maximum), today=TODAY)}


def failed(checks: dict[str, Check]) -> list[str]:
    return [name for name, check in checks.items() if not check.passed]


def test_an_image_without_findings_passes(scanned: Callable[..., Scan]) -> None:
    assert failed(judged(scanned(page()))) == []


@pytest.mark.parametrize(("severity", "stops"), [("CRITICAL", "critical"), ("HIGH", "high")])
@pytest.mark.parametrize("make", [finding, enhanced])
def test_a_finding_beyond_the_limit_stops_and_is_named(
    scanned: Callable[..., Scan], make: Callable[..., Json], severity: str, stops: str
) -> None:
    kind = "findings" if make is finding else "enhancedFindings"
    checks = judged(scanned(page(make("CVE-2026-1", severity), make("CVE-2026-2", "MEDIUM"), kind=kind)))
    assert failed(checks) == [stops]
    assert checks[stops].reason.startswith(f"1 {stops} finding, at most 0 allowed: CVE-2026-1 (openssl 3.0.1")
    assert checks["medium"].reason == "1 medium finding, any number allowed"


def test_findings_of_all_pages_count(scanned: Callable[..., Scan]) -> None:
    pages = (
        page(finding("CVE-1", "LOW"), token="a"),
        page(enhanced("CVE-2", "HIGH"), token="b", kind="enhancedFindings"),
        page(finding("CVE-3", "CRITICAL")),
    )
    assert failed(judged(scanned(*pages))) == ["critical", "high"]


def test_a_limit_is_the_largest_number_that_passes(scanned: Callable[..., Scan]) -> None:
    found = scanned(page(finding("CVE-1", "HIGH"), finding("CVE-2", "HIGH")))
    assert failed(judged(found, high=2)) == []
    assert failed(judged(found, high=1)) == ["high"]
    assert failed(judged(found, high="any")) == []


def test_the_same_weakness_in_several_packages_counts_once_and_as_its_worst(scanned: Callable[..., Scan]) -> None:
    found = scanned(page(finding("CVE-1", "HIGH", "zlib"), finding("CVE-1", "CRITICAL"), finding("CVE-1", "HIGH")))
    checks = judged(found, critical=1)
    assert failed(checks) == []
    assert (checks["critical"].value, checks["high"].value) == (1, 0)


@pytest.mark.parametrize(("expires", "stops"), [("2026-11-13", []), ("2026-11-12", []), ("2026-11-11", ["critical"])])
def test_an_allowed_finding_does_not_count_up_to_its_last_day(
    scanned: Callable[..., Scan], expires: str, stops: list[str]
) -> None:
    checks = judged(scanned(page(finding("CVE-1", "CRITICAL"))), allowed("CVE-1", expires))
    assert failed(checks) == stops
    assert expires in checks["allow-list"].reason
    if stops:
        assert f"CVE-1 (openssl 3.0.1), allowed until {expires}" in checks["critical"].reason


def test_an_entry_that_matches_nothing_is_told(scanned: Callable[..., Scan]) -> None:
    checks = judged(scanned(page()), allowed("CVE-1", "2026-12-31"))
    assert failed(checks) == []
    assert checks["allow-list"].reason == "CVE-1 is on the list, but not in the image: remove it from the list"


def test_an_entry_allows_no_other_finding(scanned: Callable[..., Scan]) -> None:
    found = scanned(page(finding("CVE-2026-12", "CRITICAL")))
    assert failed(judged(found, allowed("CVE-2026-1", "2026-12-31"))) == ["critical"]


@pytest.mark.parametrize("severity", ["INFORMATIONAL", "UNDEFINED", "UNTRIAGED"])
def test_findings_without_a_severity_that_counts_pass_and_are_told(scanned: Callable[..., Scan], severity: str) -> None:
    checks = judged(scanned(page(finding("CVE-1", severity))))
    assert failed(checks) == []
    assert checks["scan"].reason.endswith(f"1 finding without a severity that counts ({severity.lower()})")


def test_a_severity_that_nobody_knows_counts_as_critical(scanned: Callable[..., Scan]) -> None:
    assert failed(judged(scanned(page(finding("CVE-1", "SEVERE"))))) == ["critical"]
    assert failed(judged(scanned(page({"name": "CVE-1"})))) == ["critical"]


def test_what_inspector_suppresses_counts_and_what_it_has_closed_does_not(scanned: Callable[..., Scan]) -> None:
    suppressed, closed = (enhanced("CVE-1", "HIGH", status=status) for status in ("SUPPRESSED", "CLOSED"))
    assert failed(judged(scanned(page(suppressed, kind="enhancedFindings")))) == ["high"]
    assert failed(judged(scanned(page(closed, kind="enhancedFindings")))) == []


@pytest.mark.parametrize("status", ["IN_PROGRESS", "PENDING"])
def test_a_scan_that_goes_on_is_worth_asking_again(scanned: Callable[..., Scan], status: str) -> None:
    with pytest.raises(ScanNotFinished, match=f"the scan of the image mlops-iris@sha256:ab.* is {status}"):
        scanned(page(status=status))


def test_a_scan_that_has_not_begun_is_worth_asking_again(aws: Aws) -> None:
    stub = aws.stub("ecr")
    stub.add_client_error("describe_image_scan_findings", "ScanNotFoundException")
    with pytest.raises(ScanNotFinished, match="switch on scanning for its repository"):
        scan(IMAGE, stub.client)


STATUSES = ["FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED", "NEW"]


@pytest.mark.parametrize("status", STATUSES)
def test_a_scan_that_will_never_be_complete_stops(scanned: Callable[..., Scan], status: str) -> None:
    checks = judged(scanned(page(status=status)))
    assert failed(checks) == ["scan"]
    assert f"is {status}" in checks["scan"].reason


def test_a_page_without_status_stops(scanned: Callable[..., Scan]) -> None:
    assert failed(judged(scanned({"imageScanFindings": {"findings": []}}))) == ["scan"]


def test_a_page_that_fails_after_good_ones_stops(scanned: Callable[..., Scan]) -> None:
    assert failed(judged(scanned(page(token="a"), page(status="FAILED")))) == ["scan"]


@pytest.mark.parametrize("code", ["ImageNotFoundException", "RepositoryNotFoundException"])
def test_an_image_that_is_not_there_stops(aws: Aws, code: str) -> None:
    stub = aws.stub("ecr")
    stub.add_client_error("describe_image_scan_findings", code)
    checks = judged(scan(IMAGE, stub.client))
    assert failed(checks) == ["scan"]
    assert f"is not in the registry of {ACCOUNT}" in checks["scan"].reason


def test_a_right_that_is_missing_is_an_error(aws: Aws) -> None:
    stub = aws.stub("ecr")
    stub.add_client_error("describe_image_scan_findings", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        scan(IMAGE, stub.client)


@pytest.mark.parametrize(
    "image",
    [
        IMAGE.replace(f"@{DIGEST}", ":1.0"),
        IMAGE.replace(f"@{DIGEST}", ""),
        IMAGE.replace(DIGEST, DIGEST[:-1]),
        IMAGE.replace(DIGEST, DIGEST.upper()),
        IMAGE.replace(f"{ACCOUNT}.dkr.ecr", "public.ecr"),
        IMAGE + " ",
        f"docker.io/library/python@{DIGEST}",
    ],
)
def test_an_image_that_is_not_named_by_its_digest_stops_without_a_call(aws: Aws, image: str) -> None:
    checks = judged(scan(image, aws.stub("ecr").client))
    assert failed(checks) == ["scan"]
    assert "is not the digest (@sha256:...) of an image in a private ECR repository" in checks["scan"].reason


def test_the_decision_of_a_real_registry_is_written(
    bucket: Bucket, moto: Aws, event_of: Callable[..., Json], context: Context
) -> None:
    ecr = moto.create_client("ecr")
    ecr.create_repository(repositoryName="mlops-iris", imageScanningConfiguration={"scanOnPush": False})
    manifest = {
        "schemaVersion": 2,
        "config": {},
        "layers": [],
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
    }
    put = ecr.put_image(repositoryName="mlops-iris", imageManifest=json.dumps(manifest), imageTag="1")
    digest = put["image"]["imageId"]["imageDigest"]
    registry = put["image"]["registryId"]
    event = event_of("security_gate", imageUri=f"{registry}.dkr.ecr.eu-west-1.amazonaws.com/mlops-iris@{digest}")
    with pytest.raises(ScanNotFinished):
        handler.handle(event, context)
    ecr.start_image_scan(repositoryName="mlops-iris", imageId={"imageDigest": digest})
    answer = handler.handle(event, context)  # moto finds CVE-9999-9999, a high one
    decision = bucket.read(KEY)
    assert answer == {
        "passed": False,
        "summary": "Security gate failed (1 of 6 checks): 1 high finding, at most 0 allowed:"
        " CVE-9999-9999 (moto_fake 9.9.9)",
        "decisionUri": f"s3://mlops-artifacts/{KEY}",
    }
    assert (decision["version"], decision["gate"], decision["passed"]) == (1, "security", False)
    assert decision["image"] == event["imageUri"]
    assert {"name", "passed", "value", "required", "reason"} == set(decision["checks"][0])
    event["scan"]["allow"].append(allowed("CVE-9999-9999", "9999-12-31"))
    assert handler.handle(event, context)["passed"] is True


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("maximum", "critical"), KeyError),
        (("maximum", "high"), -1),
        (("maximum", "high"), "all"),
        (("maximum", "low"), "0"),
        (("maximum", "medium"), 1.5),
        (("maximum", "high"), True),
        (("allow",), None),
        (("allow", 0, "id"), ""),
        (("allow", 0, "reason"), KeyError),
        (("allow", 0, "expires"), "tomorrow"),
        (("allow", 0, "expires"), None),
    ],
)
def test_rules_that_are_not_clear_are_refused_by_name(
    event_of: Callable[..., Json], place: tuple[Any, ...], value: Any
) -> None:
    event = event_of("security_gate")
    target = event["scan"]
    for name in place[:-1]:
        target = target[name]
    if value is KeyError:
        del target[place[-1]]
    else:
        target[place[-1]] = value
    with pytest.raises(EventError, match=f"field 'scan.{'.'.join(map(str, place))}"):
        read(SecurityEvent, event)


def test_a_thousand_findings_make_a_summary_that_fits(
    bucket: Bucket, aws: Aws, event_of: Callable[..., Json], context: Context
) -> None:
    many = [finding(f"CVE-{number}-{'x' * 200}", "CRITICAL", "y" * 300) for number in range(1000)]
    aws.stub("ecr").add_response("describe_image_scan_findings", page(*many))
    assert len(handler.handle(event_of("security_gate"), context)["summary"]) <= 900
    assert bucket.read(KEY)["checks"][1]["value"] == 1000


@settings(max_examples=60, deadline=None)
@given(
    found=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(Severity)), max_size=8),
    allow=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["2026-11-11", "2026-11-12"])), max_size=4),
    critical=st.integers(0, 2),
)
def test_nothing_passes_beyond_a_limit(
    found: list[tuple[str, Severity]], allow: list[tuple[str, str]], critical: int
) -> None:
    image = Scan(findings=[Finding(id=name, severity=severity) for name, severity in found])
    entries = [allowed(*each) for each in allow]
    passed = all_passed(judge(image, rules(*entries, critical=critical), today=TODAY))
    free = {name for name, expires in allow if expires == "2026-11-12"}
    bad = {name for name, severity in found if severity is Severity.CRITICAL} - free
    worse = {name for name, severity in found if severity is Severity.HIGH} - free - bad
    assert passed is (len(bad) <= critical and not worse)
