"""The data scientists' account, with the credentials that the person's own shell has, as every AWS tool uses them."""

from __future__ import annotations

import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from mlops.handover.candidate import Candidate, Place
from mlops.handover.files import CandidateFile

COMPLETED, FAILED = "Completed", "Failed"
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 1.0


class AccountError(Exception):
    """AWS refused, or holds something unexpected; the text is for the person."""


class Account:
    """Where one person hands candidates over."""

    def __init__(self, place: Place) -> None:
        """Use the shell's own credentials in the region of `place`."""
        self._place = place
        session = boto3.Session(region_name=place.region)
        config = Config(retries={"mode": "standard", "total_max_attempts": 5})
        self._s3: Any = session.client("s3", config=config)
        self._sagemaker: Any = session.client("sagemaker", config=config)
        self._sts: Any = session.client("sts", config=config)

    @staticmethod
    def region() -> str | None:
        """Return the region that the person's shell or profile names."""
        region: str | None = boto3.Session().region_name
        return region

    def caller(self) -> tuple[str, str]:
        """Return the account and the ARN of the person."""
        answer = self._ask("sts:GetCallerIdentity", self._sts.get_caller_identity)
        return str(answer["Account"]), str(answer["Arn"])

    def upload(self, candidate: Candidate, file: CandidateFile) -> tuple[str, bool]:
        """Return the version of the object with the content of `file`, and whether it was uploaded just now."""
        key = candidate.key(file)
        where = {"Bucket": self._place.bucket, "Key": key, "ExpectedBucketOwner": self._place.account}
        action = "s3:PutObject"
        try:
            with file.path.open("rb") as content:
                answer = self._s3.put_object(
                    **where,
                    Body=content,
                    ContentLength=file.size,
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=file.checksum,
                    IfNoneMatch="*",
                )
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "PreconditionFailed":
                return self._present(where, file), False
            raise self._refused(action, error) from error
        return self._version(answer, key), True

    def _present(self, where: dict[str, str], file: CandidateFile) -> str:
        """Return the version of an object that was there before, which must have the same content."""
        found = self._ask("s3:HeadObject", self._s3.head_object, **where, ChecksumMode="ENABLED")
        if found.get("ChecksumSHA256") != file.checksum:
            msg = (
                f"s3://{where['Bucket']}/{where['Key']} is there already with another content than {file.path}; "
                "somebody wrote it by hand: delete it, and repeat the command"
            )
            raise AccountError(msg)
        return self._version(found, where["Key"])

    def _version(self, answer: dict[str, Any], key: str) -> str:
        version = str(answer.get("VersionId") or "")
        if version in {"", "null"}:
            msg = (
                f"the bucket {self._place.bucket} keeps no versions of {key}, and a candidate names a version; "
                "deploy the stack of the data-science account again"
            )
            raise AccountError(msg)
        return version

    def find(self, candidate: Candidate) -> dict[str, Any] | None:
        """Return the package that is this candidate, if it was handed over, or begun, before."""
        group = self._place.group
        more: dict[str, str] = {}
        while True:
            page = self._ask(
                "sagemaker:ListModelPackages",
                self._sagemaker.list_model_packages,
                ModelPackageGroupName=group,
                MaxResults=100,
                **more,
            )
            for summary in page["ModelPackageSummaryList"]:
                if summary.get("ModelPackageDescription") == candidate.description:
                    return self.described(summary["ModelPackageArn"])
            if not page.get("NextToken"):
                return None
            more = {"NextToken": page["NextToken"]}

    def described(self, arn: str) -> dict[str, Any]:
        """Return a package, once SageMaker has finished making it."""
        limit = time.monotonic() + _WAIT_SECONDS
        while True:
            package: dict[str, Any] = self._ask(
                "sagemaker:DescribeModelPackage", self._sagemaker.describe_model_package, ModelPackageName=arn
            )
            status = package["ModelPackageStatus"]
            if status == COMPLETED:
                return package
            if status == FAILED or time.monotonic() > limit:
                msg = f"the model package {arn} is {status}; delete it, and repeat the command"
                raise AccountError(msg)
            time.sleep(_POLL_SECONDS)

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make a package and return it."""
        answer = self._ask("sagemaker:CreateModelPackage", self._sagemaker.create_model_package, **request)
        return self.described(str(answer["ModelPackageArn"]))

    def approve(self, arn: str, reason: str) -> None:
        """Approve a package, which announces it."""
        self._ask(
            "sagemaker:UpdateModelPackage",
            self._sagemaker.update_model_package,
            ModelPackageArn=arn,
            ModelApprovalStatus="Approved",
            ApprovalDescription=reason,
        )

    def _ask(self, action: str, operation: Any, **request: Any) -> Any:
        try:
            return operation(**request)
        except (BotoCoreError, ClientError) as error:
            raise self._refused(action, error) from error

    def _refused(self, action: str, error: Exception) -> AccountError:
        if isinstance(error, NoCredentialsError):
            return AccountError("there are no AWS credentials; sign in (aws sso login), or name a profile: AWS_PROFILE")
        code = _code(error)
        text = error.response["Error"].get("Message", "") if isinstance(error, ClientError) else str(error)
        remedy = ""
        if code == "NoSuchBucket" or (action.startswith("sagemaker:") and "does not exist" in text):
            missing = f"bucket {self._place.bucket}" if code == "NoSuchBucket" else f"group {self._place.group}"
            remedy = f"; the {missing} comes with the stacks of the data-science account, which its owner deploys"
        return AccountError(f"{action} failed: {code}: {' '.join(text.split())[:400]}{remedy}")


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
