"""An account with a pipeline to try: buckets, a role that may do what the pipeline needs, and shorthand for actions."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from typing import Any

from mlops.rehearsal import credentials
from mlops.rehearsal.server import EmulatedAws


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, text in files.items():
            target.writestr(name, text)
    return buffer.getvalue()


def action(name: str, kind: str, configuration: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    category, provider = kind.split("/")
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": {
            key: value if isinstance(value, str) else json.dumps(value) for key, value in (configuration or {}).items()
        },
        "runOrder": more.pop("order", 1),
        "inputArtifacts": [{"name": artifact} for artifact in more.pop("inputs", ())],
        "outputArtifacts": [{"name": artifact} for artifact in more.pop("outputs", ())],
        **more,
    }


def approval(name: str = "Approve", **more: Any) -> dict[str, Any]:
    return action(name, "Approval/Manual", **more)


class World:
    """One account for one test: names of its own, so that tests share a running emulated AWS."""

    def __init__(self, aws: EmulatedAws) -> None:
        self.aws = aws
        self.tag = uuid.uuid4().hex[:8]
        self.source = f"source-{self.tag}"
        self.artifacts = f"artifacts-{self.tag}"
        self.codepipeline = self.client("codepipeline")
        for bucket in (self.source, self.artifacts):
            self.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
        self.client("s3").put_bucket_versioning(Bucket=self.source, VersioningConfiguration={"Status": "Enabled"})
        self.key = self.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.role = self.make_role("pipeline", "codepipeline.amazonaws.com", ["*"])

    def client(self, service: str) -> Any:
        return credentials.client(service)

    def make_role(self, name: str, service: str, actions: list[str]) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        iam = self.client("iam")
        made = iam.create_role(
            RoleName=f"{name}-{self.tag}",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        self.allow(f"{name}-{self.tag}", actions)
        return str(made["Role"]["Arn"])

    def allow(self, role: str, actions: list[str]) -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        self.client("iam").put_role_policy(
            RoleName=role.rsplit("/", 1)[-1],
            PolicyName="all",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def upload(self, files: dict[str, str], key: str = "source.zip") -> str:
        answer = self.client("s3").put_object(Bucket=self.source, Key=key, Body=archive(files))
        return str(answer["VersionId"])

    def source_action(self, name: str = "Code", key: str = "source.zip", **more: Any) -> dict[str, Any]:
        where = {"S3Bucket": self.source, "S3ObjectKey": key}
        return action(name, "Source/S3", where, outputs=[f"{name}Zip"], **more)

    def declare(self, *stages: list[dict[str, Any]], name: str = "", **more: Any) -> dict[str, Any]:
        return {
            "name": name or f"pipeline-{self.tag}",
            "roleArn": self.role,
            "pipelineType": "V2",
            "executionMode": "QUEUED",
            "artifactStore": {
                "type": "S3",
                "location": self.artifacts,
                "encryptionKey": {"id": self.key, "type": "KMS"},
            },
            "stages": [{"name": f"S{number}", "actions": actions} for number, actions in enumerate(stages)],
            **more,
        }

    def create(self, *stages: list[dict[str, Any]], **more: Any) -> str:
        declaration = self.declare([self.source_action(namespace="Code")], *stages, **more)
        return str(self.codepipeline.create_pipeline(pipeline=declaration)["pipeline"]["name"])

    def create_with(self, on_failure: dict[str, Any], *stages: list[dict[str, Any]]) -> str:
        """Make a pipeline whose stages after the source react so when they fail."""
        declaration = self.declare([self.source_action(namespace="Code")], *stages)
        for stage in declaration["stages"][1:]:
            stage["onFailure"] = on_failure
        return str(self.codepipeline.create_pipeline(pipeline=declaration)["pipeline"]["name"])

    def start(self, pipeline: str, **more: Any) -> str:
        return str(self.codepipeline.start_pipeline_execution(name=pipeline, **more)["pipelineExecutionId"])

    def status(self, pipeline: str, execution: str) -> str:
        answer = self.codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution)
        return str(answer["pipelineExecution"]["status"])

    def end(self, pipeline: str, execution: str, seconds: float = 30) -> str:
        deadline = time.monotonic() + seconds
        while (status := self.status(pipeline, execution)) in ("InProgress", "Stopping"):
            assert time.monotonic() < deadline, self.actions(pipeline, execution)
            time.sleep(0.05)
        return status

    def run(self, pipeline: str, **more: Any) -> tuple[str, dict[str, dict[str, Any]]]:
        """Start, wait, and return the end with the actions by name."""
        execution = self.start(pipeline, **more)
        return self.end(pipeline, execution), self.actions(pipeline, execution)

    def actions(self, pipeline: str, execution: str) -> dict[str, dict[str, Any]]:
        answer = self.codepipeline.list_action_executions(
            pipelineName=pipeline, filter={"pipelineExecutionId": execution}
        )
        return {one["actionName"]: one for one in reversed(answer["actionExecutionDetails"])}

    def token(self, pipeline: str, stage: str, name: str = "Approve", seconds: float = 10) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for state in self.codepipeline.get_pipeline_state(name=pipeline)["stageStates"]:
                for one in state["actionStates"]:
                    found = one.get("latestExecution", {}).get("token")
                    if state["stageName"] == stage and one["actionName"] == name and found:
                        return str(found)
            time.sleep(0.05)
        message = f"nobody asks for {name}"
        raise AssertionError(message)

    def answer(self, pipeline: str, stage: str, status: str = "Approved", summary: str = "fine") -> None:
        self.codepipeline.put_approval_result(
            pipelineName=pipeline,
            stageName=stage,
            actionName="Approve",
            token=self.token(pipeline, stage),
            result={"status": status, "summary": summary},
        )

    def artifact(self, details: dict[str, Any], name: str) -> dict[str, str]:
        """Return the files of an output artifact."""
        places = {one["name"]: one["s3location"] for one in details["output"]["outputArtifacts"]}
        body = self.client("s3").get_object(Bucket=places[name]["bucket"], Key=places[name]["key"])["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as source:
            return {member: source.read(member).decode() for member in source.namelist()}


def message(details: dict[str, Any]) -> str:
    return str(details["output"]["executionResult"].get("errorDetails", {}).get("message", ""))
