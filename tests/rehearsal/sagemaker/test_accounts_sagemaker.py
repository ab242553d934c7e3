"""Models, images and model packages that cross accounts: each policy in its place, and missing."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.rehearsal import credentials, images, sagemaker_pull
from tests.rehearsal import accounts_world as world
from tests.rehearsal.endpoints_world import SERVE
from tests.rehearsal.iam_world import allow, document, refused

pytestmark = pytest.mark.usefixtures("aws")
BY_SAGEMAKER = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
OCI = "application/vnd.oci.image.manifest.v1+json"
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


# Model packages


def group(*statements: dict[str, Any]) -> tuple[str, str]:
    """Make a group of the data scientists with one package; return its name and the package's ARN."""
    sagemaker, name = credentials.client("sagemaker", account=world.DATA_SCIENCE), world.unique("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    if statements:
        sagemaker.put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=document(*statements))
    return name, str(sagemaker.create_model_package(ModelPackageGroupName=name)["ModelPackageArn"])


def intake(path: str = "/p/intake/", account: str = world.TOOLS) -> Any:
    return world.as_role(world.role(account, allow("sagemaker:DescribeModelPackage"), path=path), "sagemaker")


ADMITTED = world.admit(world.TOOLS, "/p/intake/*", "sagemaker:DescribeModelPackage")


def test_a_package_is_described_across_accounts_by_its_arn() -> None:
    name, package = group(ADMITTED)
    described = intake().describe_model_package(ModelPackageName=package)
    assert (described["ModelPackageArn"], described["ModelPackageGroupName"]) == (package, name)


@pytest.mark.parametrize(
    ("statements", "path", "account"),
    [
        ([], "/p/intake/", world.TOOLS),
        ([ADMITTED], "/p/pipeline/", world.TOOLS),
        ([ADMITTED], "/p/intake/", world.STRANGER),
        ([{**ADMITTED, "Action": "sagemaker:ListModelPackages"}], "/p/intake/", world.TOOLS),
    ],
)
def test_without_the_statement_of_its_group_it_is_not(
    statements: list[dict[str, Any]], path: str, account: str
) -> None:
    _, package = group(*statements)
    call = intake(path, account).describe_model_package
    assert refused(call, ModelPackageName=package) == "AccessDeniedException"


def test_a_package_is_found_in_its_own_region_only() -> None:
    _, package = group(ADMITTED)
    arn = world.role(world.TOOLS, allow("sagemaker:*"), path="/p/intake/")
    there = world.as_role(arn, "sagemaker", world.THERE)
    with pytest.raises(ClientError, match="does not exist"):
        there.describe_model_package(ModelPackageName=package)


def test_the_policy_of_a_group_is_kept_read_and_deleted() -> None:
    name, _ = group(ADMITTED)
    sagemaker = credentials.client("sagemaker", account=world.DATA_SCIENCE)
    stored = sagemaker.get_model_package_group_policy(ModelPackageGroupName=name)["ResourcePolicy"]
    assert json.loads(stored)["Statement"] == [ADMITTED]
    sagemaker.delete_model_package_group_policy(ModelPackageGroupName=name)
    with pytest.raises(ClientError, match="Cannot find Resource Policy"):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName=name)
    assert "Policy" not in str(sagemaker.describe_model_package_group(ModelPackageGroupName=name).keys())


# Images


class _Stored:
    """Stands for an image that the project built."""


@dataclass
class Repository:
    """A repository of the tools account with one image."""

    uri: str

    @classmethod
    def with_policy(cls, *statements: dict[str, Any], region: str = world.HERE) -> Repository:
        ecr, name = credentials.client("ecr", region=region), world.unique("images")
        ecr.create_repository(repositoryName=name)
        if statements:
            ecr.set_repository_policy(repositoryName=name, policyText=document(*statements))
        layer = {"mediaType": OCI, "digest": f"sha256:{hashlib.sha256(name.encode()).hexdigest()}", "size": 1}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI, "config": layer, "layers": [layer]})
        ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag="a")
        digest = hashlib.sha256(manifest.encode()).hexdigest()
        return cls(f"{world.TOOLS}.dkr.ecr.{region}.amazonaws.com/{name}@sha256:{digest}")


@pytest.fixture
def stored() -> Iterator[None]:
    image = images.Image(name="images", stored=_Stored())  # type: ignore[arg-type] # it is never run
    images.register(rf"{world.TOOLS}\.dkr\.ecr\..*/images-.*", image)
    yield
    images.unregister(image)


def pull(repository: Repository, *, mine: bool = True) -> str:
    """Return why staging cannot pull the image."""
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - moto is imported by the fixture

    statements = [allow("ecr:*")] if mine else []
    role = world.role(world.STAGING, *statements, trusts=BY_SAGEMAKER, path="/p/")
    try:
        sagemaker_pull.pull(sagemaker_backends[world.STAGING][world.HERE], repository.uri, role)
    except sagemaker_pull.PullError as error:
        return str(error)
    return ""


BY_ROLE = world.admit(world.STAGING, "/p/*", *PULL, on=None)
BY_SERVICE = {
    "Sid": "Service",
    "Effect": "Allow",
    "Principal": {"Service": "sagemaker.amazonaws.com"},
    "Action": PULL,
    "Condition": {"StringEquals": {"aws:SourceAccount": [world.STAGING]}},
}
FOR_OTHERS = {**BY_SERVICE, "Condition": {"StringEquals": {"aws:SourceAccount": [world.STRANGER]}}}


@pytest.mark.usefixtures("stored")
def test_an_image_is_pulled_across_accounts_when_the_repository_admits_role_and_service() -> None:
    assert pull(Repository.with_policy(BY_ROLE, BY_SERVICE)) == ""


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("statements", "why"),
    [
        ([BY_SERVICE], "no resource-based policy allows the ecr:BatchGetImage"),
        ([{**BY_ROLE, "Action": PULL[:2]}, BY_SERVICE], "ecr:GetDownloadUrlForLayer"),
        ([BY_ROLE], "does not grant"),
        ([BY_ROLE, FOR_OTHERS], "does not grant"),
        ([], "no resource-based policy"),
    ],
)
def test_without_one_of_the_statements_it_is_not(statements: list[dict[str, Any]], why: str) -> None:
    assert why in pull(Repository.with_policy(*statements))


@pytest.mark.usefixtures("stored")
def test_the_role_needs_its_own_permission_to_pull() -> None:
    assert "no identity-based policy" in pull(Repository.with_policy(BY_ROLE, BY_SERVICE), mine=False)


@pytest.mark.usefixtures("stored")
def test_an_image_of_another_region_is_not_pulled() -> None:
    there = Repository.with_policy(BY_ROLE, BY_SERVICE, region=world.THERE)
    assert f"it is not in {world.HERE}" in pull(there)


# Models and endpoints


class Target:
    """An account with an execution role, and model data in the tools account."""

    def __init__(self, image: str, *statements: dict[str, Any], region: str = world.HERE) -> None:
        self.image, self.name = image, world.unique("served")
        self.role = world.role(world.STAGING, allow("s3:GetObject", "kms:Decrypt"), trusts=BY_SAGEMAKER, path="/p/")
        self.bucket = world.bucket(world.TOOLS, *statements, region=region)
        self.sagemaker = credentials.client("sagemaker", account=world.STAGING)

    def create_model(self) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            info = tarfile.TarInfo("model.txt")
            info.size = 4
            archive.addfile(info, io.BytesIO(b"0.75"))
        credentials.client("s3").put_object(Bucket=self.bucket, Key="model.tar.gz", Body=buffer.getvalue())
        container = {"Image": self.image, "ModelDataUrl": f"s3://{self.bucket}/model.tar.gz"}
        self.sagemaker.create_model(ModelName=self.name, ExecutionRoleArn=self.role, PrimaryContainer=container)

    def deploy(self, waiting: Callable[..., Any]) -> None:
        variant = {"VariantName": "A", "ModelName": self.name, "InitialInstanceCount": 1}
        variants = [{**variant, "InstanceType": "ml.m6i.large"}]
        self.sagemaker.create_endpoint_config(EndpointConfigName=self.name, ProductionVariants=variants)
        self.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=self.name)

        def settled() -> Any:
            status = self.sagemaker.describe_endpoint(EndpointName=self.name)["EndpointStatus"]
            return status if status != "Creating" else None

        assert waiting(settled) == "InService"


READ = world.admit(world.STAGING, "/p/*", "s3:GetObject", on="{bucket}/*")


def test_an_endpoint_of_another_account_serves_a_model_of_the_tools(image: Any, waiting: Callable[..., Any]) -> None:
    target = Target(image(serve=SERVE), READ)
    target.create_model()
    target.deploy(waiting)
    observer = world.role(
        world.STAGING,
        allow("sagemaker:InvokeEndpoint"),
        trusts=world.admit(world.TOOLS, "/p/verification/*", "sts:AssumeRole", on=None),
    )
    function = world.role(world.TOOLS, allow("sts:AssumeRole"), path="/p/verification/")
    call = {"EndpointName": target.name, "ContentType": "text/csv", "Body": b"1,2"}
    answer = world.assumed(function, observer, "sagemaker-runtime").invoke_endpoint(**call)
    assert answer["Body"].read() == b"0.75"
    own = world.role(world.TOOLS, allow("sagemaker:InvokeEndpoint"))
    with pytest.raises(ClientError, match=f"of account {world.TOOLS} not found"):
        world.as_role(own, "sagemaker-runtime").invoke_endpoint(**call)
    target.sagemaker.delete_endpoint(EndpointName=target.name)


def test_without_the_statement_of_the_bucket_there_is_no_model(image: Any) -> None:
    with pytest.raises(ClientError, match="Could not access model data"):
        Target(image(serve=SERVE)).create_model()


def test_model_data_of_another_region_is_refused(image: Any) -> None:
    with pytest.raises(ClientError, match=f"The bucket is in {world.THERE}, it must be in {world.HERE}"):
        Target(image(serve=SERVE), READ, region=world.THERE).create_model()
