"""What ECR has found in an image: all pages, of basic scans and of enhanced ones (Amazon Inspector)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.security_gate.logic import Finding, Scan, Severity
from lambdas.shared.errors import ScanNotFinished
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?"
    r"/(?P<repository>[a-z0-9][a-z0-9._/-]*)@(?P<digest>sha256:[0-9a-f]{64})"
)
_NOT_FINISHED = frozenset({"IN_PROGRESS", "PENDING"})
_FINISHED = frozenset({"COMPLETE", "ACTIVE"})
_MISSING = frozenset({"ImageNotFoundException", "RepositoryNotFoundException"})


def scan(image_uri: str, ecr: Any) -> Scan:
    """Return what is known of the image; a scan that will never be complete has a reason why.

    Raises:
        ScanNotFinished: the scan has not begun, or goes on.
    """
    parts = _IMAGE.fullmatch(image_uri)
    if parts is None:
        shown = clip(image_uri, length=200)
        return Scan(unusable=f"{shown} is not the digest (@sha256:...) of an image in a private ECR repository")
    name = f"the image {parts['repository']}@{parts['digest'][:19]}"
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(
        registryId=parts["account"],
        repositoryName=parts["repository"],
        imageId={"imageDigest": parts["digest"]},
    )
    found: list[Finding] = []
    try:
        for page in pages:
            status = page.get("imageScanStatus") or {}
            state, why = str(status.get("status", "")), str(status.get("description") or "no reason given")
            if state in _NOT_FINISHED:
                msg = f"the scan of {name} is {state}"
                raise ScanNotFinished(msg)
            if state not in _FINISHED:
                return Scan(unusable=f"the scan of {name} is {state or 'of unknown status'}: {clip(why, length=300)}")
            found += _findings(page.get("imageScanFindings") or {})
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ScanNotFoundException":
            msg = f"{name} has not been scanned yet; if that stays so, switch on scanning for its repository"
            raise ScanNotFinished(msg) from error
        if code in _MISSING:
            return Scan(unusable=f"{name} is not in the registry of {parts['account']} in this region")
        raise
    return Scan(findings=found)


def _findings(page: Mapping[str, Any]) -> Iterator[Finding]:
    for basic in page.get("findings") or ():
        attributes = {each["key"]: each.get("value", "") for each in basic.get("attributes") or ()}
        package = f"{attributes.get('package_name', '')} {attributes.get('package_version', '')}"
        yield _finding(basic.get("name"), basic.get("severity"), package)
    for enhanced in page.get("enhancedFindings") or ():
        # One that Inspector suppresses counts: what is let through stands in the settings, with reason and date.
        if enhanced.get("status") == "CLOSED":
            continue
        details = enhanced.get("packageVulnerabilityDetails") or {}
        packages = [
            f"{each.get('name', '')} {each.get('version', '')}" for each in details.get("vulnerablePackages") or ()
        ]
        name = details.get("vulnerabilityId") or enhanced.get("title") or enhanced.get("findingArn")
        yield _finding(name, enhanced.get("severity"), ", ".join(packages))


def _finding(name: object, severity: object, package: str) -> Finding:
    try:
        level = Severity(str(severity).lower())
    except ValueError:
        # A word that nobody knows is not taken for harmless.
        level = Severity.CRITICAL
    return Finding(
        id=clip(str(name or "a finding without a name"), length=80), severity=level, package=clip(package, length=80)
    )
