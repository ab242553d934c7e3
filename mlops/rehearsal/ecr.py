"""Amazon ECR of the emulated account: manifests are kept under their real digests, and scanned when they are pushed.

Gaps of moto that are closed here: the digest of an image is not that of its manifest, a push starts no scan, every scan
finds the same invented vulnerability, an immutable tag is refused with the wrong error, GetDownloadUrlForLayer is
missing, and no event is sent.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.sagemaker_api import patch
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    (
        "the vulnerability scan of images",
        "no scanner runs: a scan is complete and finds nothing, unless a fault says so",
    ),
    ("the Docker Registry API and the bytes of layers", "manifests are kept; images run from where they were built"),
    ("expiry of images by a lifecycle policy", "the policy is kept; a rehearsal is over before an image expires"),
)
SCAN_SECONDS = 0.5
"""How long a scan takes."""
CRITICAL = {
    "name": "CVE-2099-0001",
    "description": "An invented vulnerability: the rehearsal was told to find one (critical-finding).",
    "uri": "https://example.com/CVE-2099-0001",
    "severity": "CRITICAL",
    "attributes": [
        {"key": "package_name", "value": "rehearsal"},
        {"key": "package_version", "value": "1.0"},
    ],
}
_begun: dict[tuple[str, str], float] = {}


def install() -> None:
    """Put the repairs into moto."""
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported when the server is there
    from moto.ecr.models import ECRBackend  # noqa: PLC0415 - as above
    from moto.ecr.responses import ECRResponse  # noqa: PLC0415 - as above

    put_in_moto = ECRBackend.put_image

    def put_image(self: Any, repository_name: str, image_manifest: str, image_tag: str, *others: Any) -> Any:
        own = f"sha256:{hashlib.sha256(image_manifest.encode()).hexdigest()}"
        media_type, digest = (*others, None, None)[:2]
        repository = self._get_repository(repository_name, None)
        _check_push(repository, image_tag, own, digest)
        image = put_in_moto(self, repository_name, image_manifest, image_tag, media_type, own)
        _pushed(repository, image)
        return image

    def describe_image_scan_findings(
        self: Any, registry_id: str, repository_name: str, image_id: dict[str, Any]
    ) -> Any:
        repository = self._get_repository(repository_name, registry_id)
        image = repository._get_image(image_id.get("imageTag"), image_id.get("imageDigest"))  # noqa: SLF001 - moto's
        return _scan(repository, image, image_id)

    def start_image_scan(self: Any, registry_id: str, repository_name: str, image_id: dict[str, str]) -> Any:
        repository = self._get_repository(repository_name, registry_id)
        image = repository._get_image(image_id.get("imageTag"), image_id.get("imageDigest"))  # noqa: SLF001 - moto's
        _begun[repository.arn, image.image_digest] = time.monotonic()
        image.last_scan = datetime.now(UTC)
        return {**_named(repository, image), "imageScanStatus": {"status": "IN_PROGRESS"}}

    def get_download_url_for_layer(self: Any) -> Any:
        layer, name = self._get_param("layerDigest"), self._get_param("repositoryName")
        repository = self.ecr_backend._get_repository(name, self._get_param("registryId"))  # noqa: SLF001 - moto's
        url = (
            f"https://prod-{self.region}-starport-layer-bucket.s3.{self.region}.amazonaws.com/{repository.name}/{layer}"
        )
        return ActionResult({"downloadUrl": url, "layerDigest": layer})

    patch(
        ECRBackend,
        put_image=put_image,
        describe_image_scan_findings=describe_image_scan_findings,
        start_image_scan=start_image_scan,
    )
    patch(ECRResponse, get_download_url_for_layer=get_download_url_for_layer)


def reset() -> None:
    """Forget every scan."""
    _begun.clear()


def _check_push(repository: Any, tag: str, own: str, digest: str | None) -> None:
    from moto.core.exceptions import JsonRESTError  # noqa: PLC0415 - moto is imported when the server is there

    if digest and digest != own:
        code = "ImageDigestDoesNotMatchException"
        message = f"The specified image digest '{digest}' does not match the digest of the image manifest '{own}'"
        raise JsonRESTError(code, message)
    tagged = [image for image in repository.images if tag and tag in image.image_tags]
    if tagged and tagged[0].image_digest != own and repository.is_tag_immutable():
        code = "ImageTagAlreadyExistsException"
        message = (
            f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be overwritten "
            "because the tag is immutable."
        )
        raise JsonRESTError(code, message)


def _pushed(repository: Any, image: Any) -> None:
    detail = {
        "action-type": "PUSH",
        "result": "SUCCESS",
        "repository-name": repository.name,
        "image-digest": image.image_digest,
        "image-tag": image.image_tag or "",
    }
    _tell(repository, "ECR Image Action", detail)
    key = (repository.arn, image.image_digest)
    if (repository.image_scanning_configuration or {}).get("scanOnPush") and key not in _begun:
        _begun[key] = time.monotonic()
        image.last_scan = datetime.now(UTC)


def _scan(repository: Any, image: Any, asked: dict[str, Any]) -> dict[str, Any]:
    from moto.ecr.exceptions import ScanNotFoundException  # noqa: PLC0415 - moto is imported when the server is there

    begun = _begun.get((repository.arn, image.image_digest))
    if begun is None:
        tag, digest = asked.get("imageTag", "null"), asked.get("imageDigest", "null")
        raise ScanNotFoundException(
            image_id=f"{{imageDigest:'{digest}', imageTag:'{tag}'}}",
            repository_name=repository.name,
            registry_id=repository.registry_id,
        )
    if time.monotonic() - begun < SCAN_SECONDS:
        return {**_named(repository, image), "imageScanStatus": {"status": "IN_PROGRESS"}}
    findings = [CRITICAL] if FAULTS.strikes(Fault.CRITICAL_FINDING, at=repository.name) else []
    return {
        **_named(repository, image),
        "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
        "imageScanFindings": {
            "imageScanCompletedAt": image.last_scan,
            "vulnerabilitySourceUpdatedAt": image.last_scan,
            "findings": findings,
            "findingSeverityCounts": {"CRITICAL": 1} if findings else {},
        },
    }


def _named(repository: Any, image: Any) -> dict[str, Any]:
    tag = {"imageTag": image.image_tag} if image.image_tag else {}
    return {
        "registryId": repository.registry_id,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.image_digest, **tag},
    }


def _tell(repository: Any, kind: str, detail: dict[str, Any]) -> None:
    try:
        from mlops.rehearsal import events  # noqa: PLC0415 - it imports moto

        region, account = repository.region_name, repository.account_id
        events.emit("aws.ecr", kind, detail, (repository.arn,), account=account, region=region)
    except Exception as error:  # noqa: BLE001 - a push does not fail because a rule's target is broken
        TIMELINE.emit(Kind.EVENT, kind, Phase.FAILED, error=f"{type(error).__name__}: {error}")
