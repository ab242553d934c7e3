from __future__ import annotations

import inspect
import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.codebuild import responses
from moto.codebuild.responses import CodeBuildResponse

from mlops.rehearsal import codebuild
from mlops.rehearsal.server import EmulatedAws
from tests.rehearsal.pipeline_world import World, archive

ENVIRONMENT = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}


class Builder(World):
    """Starts builds of an S3 source."""

    def __init__(self, aws: EmulatedAws) -> None:
        super().__init__(aws)
        self.codebuild = self.client("codebuild")
        self.build_role = self.make_role("build", "codebuild.amazonaws.com", ["*"])
        self.project = f"project-{self.tag}"

    def build(self, phases: dict[str, Any], *, files: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        spec = {"version": 0.2, "phases": phases, **more.pop("spec", {})}
        self.client("s3").put_object(Bucket=self.source, Key="tree.zip", Body=archive(files or {"a.txt": "a"}))
        self.codebuild.create_project(
            name=self.project,
            source={"type": "S3", "location": f"{self.source}/tree.zip", "buildspec": json.dumps(spec)},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={**ENVIRONMENT, **more.pop("environment", {})},
            serviceRole=self.build_role,
        )
        started: dict[str, Any] = self.codebuild.start_build(projectName=self.project, **more)["build"]
        return started

    def end(self, build: dict[str, Any]) -> dict[str, Any]:  # type: ignore[override]
        deadline = time.monotonic() + 30
        while not (now := self.codebuild.batch_get_builds(ids=[build["id"]])["builds"][0])["buildComplete"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return dict(now)

    def run_build(self, phases: dict[str, Any], **more: Any) -> tuple[dict[str, Any], list[str]]:
        build = self.end(self.build(phases, **more))
        events = self.client("logs").get_log_events(
            logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"]
        )["events"]
        return build, [event["message"] for event in events]


@pytest.fixture
def builder(aws: EmulatedAws) -> Builder:
    return Builder(aws)


def states(build: dict[str, Any]) -> dict[str, str]:
    return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


def test_exports_and_the_folder_last_from_command_to_command_and_phase_to_phase(builder: Builder) -> None:
    build, log = builder.run_build(
        {
            "pre_build": {"commands": ["mkdir deep && cd deep", "export A=one"]},
            "build": {"commands": ["export B=$A-two", "basename $PWD"]},
        },
        spec={"env": {"exported-variables": ["B"]}},
    )
    assert build["buildStatus"] == "SUCCEEDED"
    assert "deep" in log
    assert build["exportedEnvironmentVariables"] == [{"name": "B", "value": "one-two"}]


def test_post_build_runs_after_a_failed_build_and_knows_it(builder: Builder) -> None:
    build, log = builder.run_build(
        {
            "build": {"commands": ["exit 3", "echo never"], "finally": ["echo always"]},
            "post_build": {"commands": ["echo succeeding=$CODEBUILD_BUILD_SUCCEEDING"]},
        }
    )
    assert build["buildStatus"] == "FAILED"
    assert {"always", "succeeding=0"} <= set(log)
    assert "never" not in log
    context = next(phase for phase in build["phases"] if phase["phaseType"] == "BUILD")["contexts"][0]
    assert context == {
        "statusCode": "COMMAND_EXECUTION_ERROR",
        "message": "Error while executing command: exit 3. Reason: exit status 3",
    }


@pytest.mark.parametrize(
    ("phases", "reached"),
    [
        ({"pre_build": {"commands": ["false"]}, "build": {"commands": ["true"]}}, "PRE_BUILD"),
        ({"build": {"commands": ["false"], "on-failure": "ABORT"}, "post_build": {"commands": ["true"]}}, "BUILD"),
        (
            {"pre_build": {"commands": ["false"], "on-failure": "CONTINUE"}, "build": {"commands": ["true"]}},
            "UPLOAD_ARTIFACTS",
        ),
    ],
)
def test_what_follows_a_failed_phase_is_codebuilds_rule(builder: Builder, phases: dict[str, Any], reached: str) -> None:
    build, _ = builder.run_build(phases)
    assert build["buildStatus"] == "FAILED"
    assert list(states(build))[-2] == reached


def test_the_start_beats_the_project_which_beats_the_buildspec(builder: Builder) -> None:
    _, log = builder.run_build(
        {"build": {"commands": ["echo $A $B $C"]}},
        spec={"env": {"variables": {"A": "spec", "B": "spec", "C": "spec"}}},
        environment={"environmentVariables": [{"name": "B", "value": "project"}, {"name": "C", "value": "project"}]},
        environmentVariablesOverride=[{"name": "C", "value": "start"}],
    )
    assert "spec project start" in log


def test_the_parameter_store_is_read_under_the_service_role(builder: Builder) -> None:
    builder.client("ssm").put_parameter(Name=f"/p/{builder.tag}", Value="kept", Type="SecureString")
    _, log = builder.run_build(
        {"build": {"commands": ["echo value=$P"]}}, spec={"env": {"parameter-store": {"P": f"/p/{builder.tag}"}}}
    )
    assert "value=kept" in log


def test_commands_act_as_the_service_role_and_never_see_the_shell_of_the_user(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "leaked")
    who = "import boto3; print('who', boto3.client('sts').get_caller_identity()['Arn'])"
    _, log = builder.run_build({"build": {"commands": [f'python -c "{who}"', "echo secret=$MY_SECRET home=$HOME"]}})
    assert any(line.startswith("who ") and f"assumed-role/build-{builder.tag}/" in line for line in log)
    home = next(line for line in log if line.startswith("secret="))
    assert home.startswith("secret= home=")
    assert str(Path.home()) != home.rpartition("=")[2]


def test_the_tools_of_this_project_stand_in_for_the_install_phase(builder: Builder) -> None:
    _, log = builder.run_build(
        {
            "install": {"commands": ["exit 1"]},
            "build": {"commands": ["node --version", "uv run --no-sync python -c 'import boto3, here; print(here.x)'"]},
        },
        files={
            "pyproject.toml": "[project]\nname='x'\nversion='1'\nrequires-python='>=3.11'\n",
            "here.py": "x = 'mine'",
        },
    )
    assert "mine" in log
    assert any(line.startswith("v2") for line in log)
    assert any("install: not run" in line for line in log)


def test_a_build_leaves_no_folder_behind(builder: Builder) -> None:
    _, log = builder.run_build({"build": {"commands": ["echo at=$CODEBUILD_SRC_DIR"]}})
    place = Path(next(line for line in log if line.startswith("at=")).removeprefix("at="))
    assert not place.parent.exists()


def test_a_stopped_build_ends_its_command(builder: Builder) -> None:
    build = builder.build({"build": {"commands": ["sleep 60"]}})
    while builder.codebuild.batch_get_builds(ids=[build["id"]])["builds"][0]["currentPhase"] != "BUILD":
        time.sleep(0.05)
    builder.codebuild.stop_build(id=build["id"])
    assert builder.end(build)["buildStatus"] == "STOPPED"


def test_a_role_that_may_not_write_logs_fails_the_build_before_it_begins(builder: Builder) -> None:
    builder.allow(builder.build_role, ["s3:*"])
    build = builder.end(builder.build({"build": {"commands": ["true"]}}))
    failed = build["phases"][-2]
    assert (build["buildStatus"], failed["phaseType"]) == ("FAILED", "PROVISIONING")
    assert "logs:CreateLogStream" in failed["contexts"][0]["message"]


def test_what_cannot_be_rehearsed_is_refused_when_the_project_is_made(builder: Builder) -> None:
    with pytest.raises(builder.codebuild.exceptions.InvalidInputException, match="GITHUB is not rehearsed"):
        builder.codebuild.create_project(
            name=builder.project,
            source={"type": "GITHUB", "location": "x"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment=ENVIRONMENT,
            serviceRole=builder.build_role,
        )


def test_moto_has_the_hooks_that_the_adapter_replaces() -> None:
    model = boto3.session.Session().client("codebuild", "eu-west-1").meta.service_model
    assert {"CreateProject", "StartBuild", "BatchGetBuilds"} <= set(model.operation_names)
    for name in ("create_project", "start_build", "batch_get_builds", "stop_build", "list_builds"):
        assert getattr(CodeBuildResponse, name).__module__ == codebuild.__name__


def test_moto_still_lacks_update_project() -> None:
    assert "def update_project" not in inspect.getsource(responses), "moto has UpdateProject now: use its own"
