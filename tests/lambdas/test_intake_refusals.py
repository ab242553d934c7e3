"""Whatever is wrong with a candidate is named, all of it at once, and leaves no trace in the pipeline's account."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lambdas.intake import examination
from lambdas.intake.candidates import CandidateObjects
from lambdas.intake.events import Rules
from lambdas.intake.image import is_same_image
from lambdas.intake.logic import require_version_of_group
from lambdas.intake.statement import read_statement
from lambdas.shared.errors import CandidateRefused, StorageError
from tests.lambdas.handed_over import CANDIDATES, ENVIRONMENT, GROUP, GROUP_ARN, IMAGE, REPORT

if TYPE_CHECKING:
    from tests.lambdas.conftest import Aws, Json
    from tests.lambdas.handed_over import World

RULES = Rules.model_validate({name.lower(): value for name, value in ENVIRONMENT.items()})
PROPERTIES = (
    *("dataUri", "dataVersion", "dataSha256", "modelVersion", "modelSha256", "metricsVersion", "metricsSha256"),
    *("codeVersion", "trainedBy", "createdWith"),
)


@pytest.fixture
def refused(world: World) -> Callable[..., str]:
    """Hand over a candidate that is changed, and return why it is refused; nothing of it is taken."""

    def run(change: Callable[[Json], None] | None = None, **contents: bytes) -> str:
        with pytest.raises(CandidateRefused) as error:
            world.arrive(world.hand_over(change, **contents))
        world.assert_untouched()
        return str(error.value)

    return run


def container(request: Json) -> Json:
    found: Json = request["InferenceSpecification"]["Containers"][0]
    return found


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("value", [None, " "])
def test_a_property_that_is_missing_is_named(refused: Callable[..., str], name: str, value: str | None) -> None:
    def change(request: Json) -> None:
        del request["CustomerMetadataProperties"][name]
        if value is not None:
            request["CustomerMetadataProperties"][name] = value

    assert f"for 1 problem: {name} is missing;" in refused(change)


@pytest.mark.parametrize(
    ("field", "missing"),
    [
        ("CustomerMetadataProperties", PROPERTIES),
        ("ModelMetrics", ("ModelMetrics.ModelQuality.Statistics.S3Uri",)),
        (
            "InferenceSpecification",
            ("InferenceSpecification.Containers.Image", "InferenceSpecification.Containers.ModelDataUrl"),
        ),
    ],
)
def test_a_part_of_the_package_that_is_missing_is_named(
    refused: Callable[..., str], field: str, missing: tuple[str, ...]
) -> None:
    reason = refused(lambda request: request.pop(field))
    assert f"for {len(missing)} problem" in reason
    assert all(f"{name} is missing" in reason for name in missing)


@pytest.mark.parametrize("name", ["Image", "ModelDataUrl"])
def test_a_container_without_image_or_model_is_named(refused: Callable[..., str], name: str) -> None:
    def change(request: Json) -> None:
        container(request)[name] = ""

    assert f"for 1 problem: InferenceSpecification.Containers.{name} is missing;" in refused(change)


def test_several_containers_are_refused(refused: Callable[..., str]) -> None:
    def change(request: Json) -> None:
        request["InferenceSpecification"]["Containers"].append(container(request))

    assert "InferenceSpecification.Containers must have one entry, got 2" in refused(change)


def test_all_problems_are_named_at_once(world: World, refused: Callable[..., str]) -> None:
    def change(request: Json) -> None:
        properties = request["CustomerMetadataProperties"]
        del properties["trainedBy"]
        properties["dataSha256"] = "abc"
        container(request)["Image"] = "somebody/else:1"
        world.s3.delete_object(Bucket=CANDIDATES, Key="abalone/id-1/model.tar.gz", VersionId=properties["modelVersion"])

    reason = refused(change, metrics=b"no json")
    assert "for 5 problems" in reason
    for words in ("trainedBy", "dataSha256", "Image", r"model.tar.gz: s3://", "is not JSON"):
        assert words in reason
    assert reason.endswith("mlops hand-over abalone")


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_a_package_that_is_not_approved_is_refused(world: World, status: str) -> None:
    arn = world.sagemaker.create_model_package(**world.request() | {"ModelApprovalStatus": status})["ModelPackageArn"]
    with pytest.raises(CandidateRefused, match=f"ModelApprovalStatus must be Approved, got '{status}'"):
        world.arrive(arn)
    world.assert_untouched()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ModelPackageStatus": "Failed"}, "ModelPackageStatus must be Completed, got 'Failed'"),
        ({"ModelPackageStatus": "Pending"}, "ModelPackageStatus must be Completed, got 'Pending'"),
        ({"ModelPackageGroupName": "mlops-churn-candidates"}, f"ModelPackageGroupName must be {GROUP}"),
        ({"ModelApprovalStatus": None}, "ModelApprovalStatus is missing"),
    ],
)
def test_what_sagemaker_says_of_the_package_must_be_right(
    world: World, monkeypatch: pytest.MonkeyPatch, fields: Json, words: str
) -> None:
    arn = world.hand_over()
    described = world.sagemaker.describe_model_package(ModelPackageName=arn) | fields
    # The properties are the data scientist's: they cannot stand in for what SageMaker does not say.
    described["CustomerMetadataProperties"] |= dict.fromkeys(fields, "Approved")
    monkeypatch.setattr("lambdas.intake.handler._Packages.describe", lambda *_: described)
    with pytest.raises(CandidateRefused, match=words):
        world.arrive(arn)
    world.assert_untouched()


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sagemaker:eu-central-1:123456789012:model-package/mlops-churn-candidates/1",
        f"arn:aws:sagemaker:eu-central-1:999988887777:model-package/{GROUP}/1",
        f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{GROUP}/1",
        f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{GROUP}-2/1",
        f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{GROUP}",
        f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{GROUP}/",
        f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{GROUP}/0",
        f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{GROUP}/01",
        f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{GROUP}/²",
        f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{GROUP}/1/../2",
        f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{GROUP}/1\n",
        GROUP_ARN,
        "1",
    ],
)
def test_a_package_of_another_group_is_refused_without_asking_for_it(aws: Aws, world: World, arn: str) -> None:
    aws.elsewhere(region="eu-central-1").stub("sagemaker")
    with pytest.raises(CandidateRefused, match=f"is not a version of {GROUP_ARN}"):
        world.arrive(arn)
    world.assert_untouched()


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.text())
def test_no_other_text_is_a_version_of_the_group(text: str) -> None:
    with pytest.raises(CandidateRefused):
        require_version_of_group(text, RULES)


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ("data", "dataUri"),
        ("model", "InferenceSpecification.Containers.ModelDataUrl"),
        ("metrics", "ModelMetrics.ModelQuality.Statistics.S3Uri"),
    ],
)
@pytest.mark.parametrize(
    "uri",
    [
        "s3://foreign/abalone/id-1/file",
        f"s3://{CANDIDATES}/churn/id-1/file",
        f"s3://{CANDIDATES}/file",
        f"s3://{CANDIDATES}/abalone/",
        f"s3://{CANDIDATES}-2/abalone/id-1/file",
        f"https://{CANDIDATES}/abalone/id-1/file",
        "s3://",
    ],
)
def test_an_object_elsewhere_is_refused(
    world: World, refused: Callable[..., str], part: str, field: str, uri: str
) -> None:
    world.s3.put_object(Bucket="foreign", Key="abalone/id-1/file", Body=b"x")

    def change(request: Json) -> None:
        if part == "data":
            request["CustomerMetadataProperties"]["dataUri"] = uri
        elif part == "model":
            container(request)["ModelDataUrl"] = uri
        else:
            request["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] = uri

    assert f"for 1 problem: {field} must begin with s3://{CANDIDATES}/abalone/, got '{uri}'" in refused(change)


@pytest.mark.parametrize("part", ["data", "model", "metrics"])
def test_a_version_that_is_gone_is_refused(world: World, refused: Callable[..., str], part: str) -> None:
    def change(request: Json) -> None:
        file = {"data": "data.csv", "model": "model.tar.gz", "metrics": "evaluation.json"}[part]
        version = request["CustomerMetadataProperties"][f"{part}Version"]
        world.s3.delete_object(Bucket=CANDIDATES, Key=f"abalone/id-1/{file}", VersionId=version)
        world.s3.put_object(Bucket=CANDIDATES, Key=f"abalone/id-1/{file}", Body=world.contents[part])

    assert "for 1 problem" in (reason := refused(change))
    assert "does not exist" in reason


def test_objects_that_never_were_are_named(refused: Callable[..., str]) -> None:
    nowhere = f"s3://{CANDIDATES}/abalone/nowhere/"

    def change(request: Json) -> None:
        request["CustomerMetadataProperties"]["dataUri"] = f"{nowhere}data.csv"
        container(request)["ModelDataUrl"] = f"{nowhere}model.tar.gz"
        request["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] = f"{nowhere}evaluation.json"

    reason = refused(change)
    assert "for 3 problems" in reason
    for file in ("data.csv", "model.tar.gz", "evaluation.json"):
        assert f"{file}: {nowhere}{file} (version" in reason


@pytest.mark.parametrize("part", ["data", "model", "metrics"])
def test_an_object_without_versions_is_refused(refused: Callable[..., str], part: str) -> None:
    def change(request: Json) -> None:
        request["CustomerMetadataProperties"][f"{part}Version"] = "null"

    assert f"{part}Version must be the version id of an object in a versioned bucket" in refused(change)


@pytest.mark.parametrize("part", ["data", "model", "metrics"])
@pytest.mark.parametrize("digest", ["abc", "A" * 64, "g" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n"])
def test_something_that_is_no_digest_is_refused(refused: Callable[..., str], part: str, digest: str) -> None:
    def change(request: Json) -> None:
        request["CustomerMetadataProperties"][f"{part}Sha256"] = digest

    assert f"for 1 problem: {part}Sha256 must be 64 digits 0-9 and a-f" in refused(change)


@pytest.mark.parametrize("part", ["data", "model", "metrics"])
def test_an_object_with_other_content_than_was_stated_is_refused(refused: Callable[..., str], part: str) -> None:
    def change(request: Json) -> None:
        request["CustomerMetadataProperties"][f"{part}Sha256"] = "0" * 64

    assert "for 1 problem" in (reason := refused(change))
    assert f"{'0' * 64} was stated" in reason


def test_a_report_with_other_content_is_named_beside_what_is_missing(refused: Callable[..., str]) -> None:
    def change(request: Json) -> None:
        request["CustomerMetadataProperties"]["metricsSha256"] = "0" * 64
        del request["CustomerMetadataProperties"]["trainedBy"]

    assert "for 2 problems" in (reason := refused(change))
    assert "trainedBy is missing" in reason
    assert f"{'0' * 64} was stated" in reason


def test_all_objects_with_other_content_are_named(refused: Callable[..., str]) -> None:
    def change(request: Json) -> None:
        request["CustomerMetadataProperties"] |= {"dataSha256": "0" * 64, "modelSha256": "1" * 64}

    assert "for 2 problems" in (reason := refused(change))
    assert all(digit * 64 in reason for digit in "01")


@pytest.mark.parametrize("part", ["data", "model", "metrics"])
def test_an_empty_object_is_refused(refused: Callable[..., str], part: str) -> None:
    assert "is empty" in refused(**{part: b""})


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "has no metric"),
        (b"{}", "has no metric"),
        (json.dumps(REPORT | {"task": "binary"}).encode(), "has no metric"),
        (json.dumps(REPORT | {"task": []}).encode(), "has no metric"),
        (json.dumps(REPORT | {"regression_metrics": {}}).encode(), "has no metric"),
        (json.dumps(REPORT | {"regression_metrics": {"rmse": {"value": float("nan")}}}).encode(), "has no metric"),
        (json.dumps(REPORT | {"regression_metrics": {"rmse": 2.1}}).encode(), "has no metric"),
    ],
)
def test_metrics_that_are_none_are_refused(refused: Callable[..., str], report: bytes, words: str) -> None:
    assert words in refused(metrics=report)


def test_a_huge_report_is_not_read(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "JSON_LIMIT", 100)
    assert "too many for the report of an evaluation (100 at most)" in refused()


@pytest.mark.parametrize("image", ["sagemaker-xgboost:1.7-1", "somebody/sagemaker-xgboost:3.0-5", "sagemaker-xgboost"])
def test_another_image_is_refused(refused: Callable[..., str], image: str) -> None:
    def change(request: Json) -> None:
        container(request)["Image"] = f"492215442770.dkr.ecr.eu-central-1.amazonaws.com/{image}"

    assert f"must be the image of the model's settings, {IMAGE}, got" in refused(change)


D1, D2 = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


@pytest.mark.parametrize(
    ("given_uri", "wanted", "same"),
    [
        ("1.dkr.ecr.eu-west-1.amazonaws.com/a/b:1", "2.dkr.ecr.us-east-1.amazonaws.com/a/b:1", True),
        ("localhost:5000/a:1", "registry.example/a:1", True),
        ("a:1", "registry.example/a:1", True),
        ("a/b:1", "a/b:1", True),
        ("x/b:1", "a/b:1", False),
        ("registry.example/a/b:1", "registry.example/b:1", False),
        ("a:1", "a:2", False),
        ("a", "a", False),
        ("a:latest", "a", False),
        (f"a@{D1}", f"a@{D1}", True),
        (f"b@{D1}", f"a@{D1}", True),
        (f"a@{D1}", f"a@{D2}", False),
        (f"a:1@{D1}", f"a:1@{D2}", False),
        (f"a:1@{D1}", "a:1", True),
        (f"a@{D1}", "a:1", False),
        ("a:1", f"a@{D1}", False),
        ("", "", False),
        ("", "a:1", False),
    ],
)
def test_images_are_compared_by_digest_or_by_repository_and_tag(given_uri: str, wanted: str, *, same: bool) -> None:
    assert is_same_image(given_uri, wanted) is same


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("AccessDenied", 403, CandidateRefused), ("SlowDown", 503, StorageError), ("InternalError", 500, StorageError)],
)
def test_s3_in_trouble_is_not_the_candidates_fault(
    world: World, monkeypatch: pytest.MonkeyPatch, code: str, status: int, error: type[Exception]
) -> None:
    answer: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}

    class Broken:
        def head_object(self, **_: Any) -> Any:
            raise ClientError(answer, "HeadObject")

    arn = world.hand_over()
    monkeypatch.setattr("lambdas.intake.handler.CandidateObjects", lambda _: CandidateObjects(Broken()))
    with pytest.raises(error, match=r"cannot be read"):
        world.arrive(arn)
    world.assert_untouched()


def test_a_network_in_trouble_is_not_the_candidates_fault(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def head_object(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://s3")

    arn = world.hand_over()
    monkeypatch.setattr("lambdas.intake.handler.CandidateObjects", lambda _: CandidateObjects(Broken()))
    with pytest.raises(StorageError, match="the connection to S3 failed"):
        world.arrive(arn)
    world.assert_untouched()


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=8,
)
FIELDS = ("ModelPackageGroupName", "ModelApprovalStatus", "InferenceSpecification", "ModelMetrics")


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from([*FIELDS, "CustomerMetadataProperties"]), JSON))
def test_any_other_package_is_read_and_has_problems(package: Json) -> None:
    statement = read_statement(package, RULES)
    assert len(statement.problems) >= 10
    assert statement.references == []
