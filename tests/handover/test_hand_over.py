"""`mlops hand-over` against the emulated AWS: what a candidate is, and that it is complete or does not exist."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lambdas.intake.candidates import CandidateObjects
from lambdas.intake.events import Rules
from lambdas.intake.examination import examine
from lambdas.intake.statement import read_statement
from mlops.rehearsal import credentials
from mlops.rehearsal.candidate import CandidateFiles
from tests.handover.handover_world import ACCOUNT, BUCKET, CONFIG, GROUP, REGION, ROOT, Person, objects, packages


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_candidate_is_three_objects_and_an_approved_package_that_names_their_versions(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    assert person.hands_over() == 0
    [package] = packages()
    base = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"].rpartition("/")[0]
    assert base.startswith(f"s3://{BUCKET}/abalone/")
    key, there = base.removeprefix(f"s3://{BUCKET}/"), objects()
    assert set(there) == {f"{key}/{name}" for name in ("data.csv", "model.tar.gz", "evaluation.json")}
    assert package["ModelApprovalStatus"] == "Approved"
    properties = package["CustomerMetadataProperties"]
    assert properties.pop("createdWith").startswith("mlops hand-over ")
    assert properties == {
        "dataUri": f"{base}/data.csv",
        "dataVersion": there[f"{key}/data.csv"],
        "dataSha256": sha256(person.files.data),
        "modelVersion": there[f"{key}/model.tar.gz"],
        "modelSha256": sha256(person.files.model),
        "metricsVersion": there[f"{key}/evaluation.json"],
        "metricsSha256": sha256(person.files.metrics),
        "codeVersion": "0123abc",
        "trainedBy": boto3.client("sts", region_name=REGION).get_caller_identity()["Arn"],
    }
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert statistics["S3Uri"] == f"{base}/evaluation.json"
    said = capsys.readouterr().out
    assert package["ModelPackageArn"] in said
    assert "rmse 1.9" in said


def test_the_image_is_the_one_that_the_settings_name(person: Person) -> None:
    person.hands_over()
    [package] = packages()
    [container] = package["InferenceSpecification"]["Containers"]
    assert container["Image"] == "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5"


def test_the_objects_have_the_content_of_the_files_and_their_checksums(person: Person) -> None:
    person.hands_over()
    s3: Any = credentials.client("s3")
    for key, version in objects().items():
        name = {"data.csv": "data", "model.tar.gz": "model", "evaluation.json": "metrics"}[key.rpartition("/")[2]]
        content = getattr(person.files, name).read_bytes()
        found = s3.get_object(Bucket=BUCKET, Key=key, VersionId=version, ChecksumMode="ENABLED")
        assert found["Body"].read() == content
        assert base64.b64decode(found["ChecksumSHA256"]) == hashlib.sha256(content).digest()


def test_the_intake_of_the_tools_account_finds_nothing_wrong_with_it(person: Person) -> None:
    person.hands_over()
    [package] = packages()
    rules = Rules(
        model="abalone",
        group_arn=f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package-group/{GROUP}",
        candidate_region=REGION,
        candidate_bucket=BUCKET,
        image_uri="683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5",
        data_bucket="data",
        candidates_prefix="abalone/candidates",
        manifest_key="abalone/candidate.json",
    )
    statement = read_statement(package, rules)
    assert statement.problems == []
    objects_of = CandidateObjects(credentials.client("s3"))
    metrics, problems = examine(statement, dict.fromkeys(["data.csv", "model.tar.gz", "evaluation.json"]), objects_of)
    assert problems == []
    assert set(metrics) == {"rmse", "mae", "r2"}
    assert all(
        hashlib.sha256(b"".join(objects_of.chunks(reference))).hexdigest() == reference.sha256
        for reference in statement.references
    )


def test_the_same_candidate_twice_is_handed_over_once(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    assert person.hands_over() == 0
    before = packages(), objects()
    capsys.readouterr()
    assert person.hands_over() == 0
    assert (packages(), objects()) == before
    assert "was handed over before" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["data", "metrics", "code_version"])
def test_whatever_differs_makes_another_candidate(person: Person, name: str) -> None:
    person.hands_over()
    if name == "code_version":
        person.code_version = None
    else:
        with person.copy(name).open("a") as file:
            file.write("\n")
    assert person.hands_over() == 0
    assert len(packages()) == 2
    assert len(objects()) == 6


def test_without_a_version_of_the_code_none_is_said(person: Person) -> None:
    person.code_version = None
    person.hands_over()
    assert packages()[0]["CustomerMetadataProperties"]["codeVersion"] == "none"


@pytest.mark.parametrize(
    ("operation", "times"),
    [("PutObject", 0), ("PutObject", 1), ("PutObject", 2), ("CreateModelPackage", 0), ("UpdateModelPackage", 0)],
)
def test_a_failure_half_way_leaves_no_candidate_and_can_be_repeated(
    person: Person, operation: str, times: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        broken(patch, operation, after=times)
        assert person.hands_over() == 1
    said = capsys.readouterr().err
    assert f"{operation} failed: InternalError" in said
    assert "Nothing is handed over" in said
    assert [package["ModelApprovalStatus"] for package in packages()] == (
        ["PendingManualApproval"] if operation == "UpdateModelPackage" else []
    )
    assert person.hands_over() == 0
    assert [package["ModelApprovalStatus"] for package in packages()] == ["Approved"]
    assert len(objects()) == 3


def broken(patch: pytest.MonkeyPatch, operation: str, *, after: int) -> None:
    """Let an operation of AWS fail once it has been called so many times."""
    calls = [0]
    given = boto3.Session.client

    def client(session: boto3.Session, service: str, **arguments: Any) -> Any:
        made = given(session, service, **arguments)

        def fail(**_: object) -> None:
            calls[0] += 1
            if calls[0] > after:
                answer = {"Error": {"Code": "InternalError", "Message": "out of order"}}
                raise ClientError(answer, operation)

        made.meta.events.register(f"before-call.*.{operation}", fail)
        return made

    patch.setattr(boto3.Session, "client", client)


def test_a_candidate_that_was_rejected_is_not_handed_over_again(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    person.hands_over()
    sagemaker: Any = credentials.client("sagemaker")
    arn = packages()[0]["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="too old")
    assert person.hands_over() == 1
    assert "rejected (too old)" in capsys.readouterr().err
    assert [package["ModelApprovalStatus"] for package in packages()] == ["Rejected"]


def test_an_object_that_somebody_else_wrote_is_not_taken_for_ones_own(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    person.hands_over()
    s3: Any = credentials.client("s3")
    sagemaker: Any = credentials.client("sagemaker")
    sagemaker.delete_model_package(ModelPackageName=packages()[0]["ModelPackageArn"])
    key = next(key for key in objects() if key.endswith("data.csv"))
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"forged", ChecksumAlgorithm="SHA256")
    assert person.hands_over() == 1
    assert "is there already with another content" in capsys.readouterr().err
    assert packages() == []


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_sent(
    person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    person.copy("model").write_bytes(b"no archive")
    data = person.copy("data")
    data.write_text(data.read_text().replace("shell_weight", "shel_weight", 1).replace("rings", "rings,diver", 1))
    report = person.copy("metrics")
    report.write_text(json.dumps(json.loads(report.read_text()) | {"task": "binary"}))
    person.code_version = "v1 (mine)"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert person.hands_over() == 2
    title, *problems = capsys.readouterr().err.splitlines()
    assert title == "Nothing is handed over, for 6 reasons:"
    assert [problem.partition(": ")[0] for problem in problems] == [
        "--model", "--data", "--data", "--metrics", "--code-version",
        f"your shell works in us-east-1, and candidates are handed over in {REGION}; set AWS_DEFAULT_REGION={REGION}",
    ]  # fmt: skip
    assert (packages(), objects()) == ([], {})


def test_another_account_is_refused(person: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(CONFIG, tmp_path / "project/config", ignore=shutil.ignore_patterns("churn*", "iris*", "diabetes*"))
    file = tmp_path / "project/config/environments.yaml"
    elsewhere = 'data_science: { account: "999988887777", region: eu-west-1 }'
    file.write_text(file.read_text().replace("data_science: *account", elsewhere))
    assert person.hands_over(root=tmp_path / "project") == 2
    said = capsys.readouterr().err
    assert ACCOUNT in said
    assert "in account 999988887777" in said


def test_a_model_that_takes_no_candidates_is_refused(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    assert person.hands_over("churn") == 2
    assert "churn.yaml has no section 'handover'" in capsys.readouterr().err


def test_a_model_that_is_misspelt_is_answered_with_the_nearest(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    assert person.hands_over("abalon") == 2
    assert "did you mean abalone?" in capsys.readouterr().err


def test_without_credentials_the_person_is_told_to_sign_in(
    person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert person.hands_over() == 1
    assert "aws sso login" in capsys.readouterr().err


def test_a_bucket_that_is_not_deployed_is_named(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    s3: Any = credentials.client("s3")
    s3.delete_bucket(Bucket=BUCKET)
    try:
        assert person.hands_over() == 1
        assert f"the bucket {BUCKET} comes with the stacks" in capsys.readouterr().err
    finally:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        assert person.hands_over() == 1
        assert "keeps no versions" in capsys.readouterr().err
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


def test_the_command_hands_its_options_on(made: CandidateFiles, tmp_path: Path) -> None:
    files = {"--model": tmp_path / "absent", "--data": made.data, "--metrics": made.model}
    words = [str(word) for pair in files.items() for word in pair]
    ended = subprocess.run(
        [sys.executable, "-m", "mlops", "hand-over", "abalone", *words, "--code-version", "(1)"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'constructs'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    title, *problems = ended.stderr.splitlines()
    assert title == "Nothing is handed over, for 3 reasons:"
    assert [problem.partition(":")[0] for problem in problems] == ["--model", "--metrics", "--code-version"]
