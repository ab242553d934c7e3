"""Images of the account's own registry: pushed, scanned, found again, and what moto lacks for that."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials, processes
from mlops.rehearsal.ecr import SCAN_SECONDS
from mlops.rehearsal.faults import FAULTS, Fault

pytestmark = pytest.mark.usefixtures("aws")
OCI = "application/vnd.oci.image.manifest.v1+json"


def manifest(word: str) -> str:
    layer = {"mediaType": "x", "digest": f"sha256:{hashlib.sha256(word.encode()).hexdigest()}", "size": 1}
    return json.dumps({"schemaVersion": 2, "mediaType": OCI, "config": layer, "layers": [layer], "word": word})


def digest_of(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class Registry:
    """A repository of a test."""

    def __init__(self, **settings: Any) -> None:
        self.client: Any = credentials.client("ecr")
        self.name = f"mlops-{uuid.uuid4().hex[:8]}"
        given = {"imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True}, **settings}
        self.client.create_repository(repositoryName=self.name, **given)

    def push(self, word: str, tag: str, **more: Any) -> str:
        text = manifest(word)
        answer = self.client.put_image(repositoryName=self.name, imageManifest=text, imageTag=tag, **more)
        return str(answer["image"]["imageId"]["imageDigest"])

    def scan(self, digest: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.describe_image_scan_findings(
            repositoryName=self.name, imageId={"imageDigest": digest}
        )
        return answer

    def scanned(self, digest: str) -> dict[str, Any]:
        time.sleep(SCAN_SECONDS)
        return self.scan(digest)


@pytest.fixture(autouse=True)
def no_fault() -> Iterator[None]:
    yield
    FAULTS.activate(None)


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_an_image_has_the_digest_of_its_manifest_and_is_found_by_tag_and_digest(registry: Registry) -> None:
    digest = registry.push("one", "a1")
    assert digest == digest_of(manifest("one"))
    for identifier in ({"imageTag": "a1"}, {"imageDigest": digest}):
        [found] = registry.client.describe_images(repositoryName=registry.name, imageIds=[identifier])["imageDetails"]
        assert (found["imageDigest"], found["imageTags"]) == (digest, ["a1"])
    [image] = registry.client.batch_get_image(repositoryName=registry.name, imageIds=[{"imageDigest": digest}])[
        "images"
    ]
    assert digest_of(image["imageManifest"]) == digest


def test_an_immutable_tag_is_not_moved(registry: Registry) -> None:
    registry.push("one", "a1")
    with pytest.raises(ClientError) as error:
        registry.push("two", "a1")
    assert error.value.response["Error"]["Code"] == "ImageTagAlreadyExistsException"


def test_the_same_image_is_not_pushed_twice(registry: Registry) -> None:
    registry.push("one", "a1")
    with pytest.raises(ClientError) as error:
        registry.push("one", "a1")
    assert error.value.response["Error"]["Code"] == "ImageAlreadyExistsException"


def test_a_manifest_that_changed_on_its_way_is_refused(registry: Registry) -> None:
    with pytest.raises(ClientError) as error:
        registry.push("one", "a1", imageDigest=digest_of("another"))
    assert error.value.response["Error"]["Code"] == "ImageDigestDoesNotMatchException"


def test_a_pushed_image_is_scanned_in_a_while_and_nothing_is_found(registry: Registry) -> None:
    digest = registry.push("one", "a1")
    assert registry.scan(digest)["imageScanStatus"]["status"] == "IN_PROGRESS"
    found = registry.scanned(digest)
    assert found["imageScanStatus"]["status"] == "COMPLETE"
    assert found["imageScanFindings"]["findings"] == []


def test_without_scan_on_push_there_is_a_scan_when_somebody_asks_for_it() -> None:
    registry = Registry(imageScanningConfiguration={"scanOnPush": False})
    digest = registry.push("one", "a1")
    with pytest.raises(ClientError) as error:
        registry.scan(digest)
    assert error.value.response["Error"]["Code"] == "ScanNotFoundException"
    registry.client.start_image_scan(repositoryName=registry.name, imageId={"imageDigest": digest})
    assert registry.scanned(digest)["imageScanStatus"]["status"] == "COMPLETE"


def test_the_fault_critical_finding_finds_a_critical_vulnerability(registry: Registry) -> None:
    digest = registry.push("one", "a1")
    FAULTS.activate(Fault.CRITICAL_FINDING)
    findings = registry.scanned(digest)["imageScanFindings"]
    assert [finding["severity"] for finding in findings["findings"]] == ["CRITICAL"]
    assert findings["findingSeverityCounts"] == {"CRITICAL": 1}


def test_a_layer_has_a_place_to_download_it_from(registry: Registry) -> None:
    digest = digest_of("one")
    answer = registry.client.get_download_url_for_layer(repositoryName=registry.name, layerDigest=digest)
    assert answer["layerDigest"] == digest
    assert answer["downloadUrl"].startswith("https://")


PROBE = """
import hashlib, json, sys
import boto3
from moto import mock_aws
from moto.ecr.models import ECRBackend
from moto.ecr.responses import ECRResponse

manifest = sys.argv[1]
found = {}
with mock_aws():
    ecr = boto3.client("ecr", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    ecr.create_repository(
        repositoryName="repo", imageScanningConfiguration={"scanOnPush": True}, imageTagMutability="IMMUTABLE"
    )
    image = ecr.put_image(repositoryName="repo", imageManifest=manifest, imageTag="a")["image"]["imageId"]
    own = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    found["the digest is not that of the manifest"] = image["imageDigest"] != own
    def code(call, **asked):
        try:
            call(**asked)
        except Exception as error:
            return getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
    named = {"repositoryName": "repo", "imageId": {"imageTag": "a"}}
    found["a push starts no scan"] = code(ecr.describe_image_scan_findings, **named) == "ScanNotFoundException"
    ecr.start_image_scan(**named)
    scan = ecr.describe_image_scan_findings(**named)["imageScanFindings"]
    found["every scan finds the same"] = scan["findings"][0]["name"] == "CVE-9999-9999"
    other = manifest.replace("one", "two").replace("}", ', "more": 1}', 1)
    refused = code(ecr.put_image, repositoryName="repo", imageManifest=other, imageTag="a")
    found["an immutable tag is refused with another error"] = refused != "ImageTagAlreadyExistsException"
    asked = {"repositoryName": "repo", "layerDigest": own}
    found["layers have no address"] = code(ecr.get_download_url_for_layer, **asked) is not None
for owner, name in ((ECRBackend, "put_image"), (ECRBackend, "describe_image_scan_findings"),
                    (ECRBackend, "start_image_scan"), (ECRResponse, "get_download_url_for_layer")):
    found["hook " + name] = hasattr(owner, name)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def moto_alone() -> dict[str, bool]:
    probe = subprocess.run(
        [sys.executable, "-c", PROBE, manifest("one")],
        env=processes.clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert probe.returncode == 0, probe.stderr
    answer: dict[str, bool] = json.loads(probe.stdout)
    return answer


@pytest.mark.parametrize(
    "gap",
    [
        "the digest is not that of the manifest",
        "a push starts no scan",
        "every scan finds the same",
        "an immutable tag is refused with another error",
        "layers have no address",
        "hook put_image",
        "hook describe_image_scan_findings",
        "hook start_image_scan",
        "hook get_download_url_for_layer",
    ],
)
def test_moto_is_as_the_adapter_takes_it_to_be(moto_alone: dict[str, bool], gap: str) -> None:
    assert moto_alone[gap], f"moto changed ({gap}): look at mlops/rehearsal/ecr.py"
