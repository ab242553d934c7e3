"""CodeBuild: projects whose builds run on this machine.

Gaps of moto that are closed here: its builds run nothing and end SUCCEEDED as soon as somebody looks; a project whose
source or artifacts are those of a pipeline is refused for want of a location; UpdateProject is missing; half of what
a project says (encryption key, secondary sources) is dropped.
"""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from mlops.rehearsal import codebuild_runner, interfaces
from mlops.rehearsal.codebuild_build import Build

NOT_REHEARSED: tuple[tuple[str, str], ...] = (
    (
        "the install phase of a buildspec",
        "this project's own environment (Python, Node, their packages) stands in for what it would install",
    ),
    ("the build image, compute type and privileged mode", "commands run on this machine, without a container"),
    ("network access of a build", "HTTP proxies that nobody answers keep commands from reaching anything"),
    ("processes that a build command leaves in the background", "each command's processes end with it"),
    (
        "the CDK's validation in a build of what was built before",
        "the first build of a source validates its templates; those of a later build are the same",
    ),
    ("caches, test reports and VPC settings of a build", "they have no effect on what the build does here"),
)

_builds: dict[str, Build] = {}
_lock = threading.Lock()
_KEEP = (
    *("name", "description", "source", "secondarySources", "sourceVersion", "artifacts", "secondaryArtifacts", "cache"),
    *("environment", "serviceRole", "timeoutInMinutes", "queuedTimeoutInMinutes", "encryptionKey", "tags", "vpcConfig"),
    *("logsConfig", "concurrentBuildLimit", "autoRetryLimit"),
)


def install() -> None:
    """Put executing builds in the place of moto's."""
    from moto.codebuild.responses import CodeBuildResponse  # noqa: PLC0415 - after the server set the environment

    for answer in (
        *(_create_project, _update_project, _start_build, _batch_get_builds, _stop_build),
        *(_list_builds, _list_builds_for_project),
    ):
        setattr(CodeBuildResponse, answer.__name__.removeprefix("_"), answer)


def reset() -> None:
    """Forget all builds."""
    with _lock:
        _builds.clear()


def shutdown() -> None:
    """Stop every running build."""
    with _lock:
        running = [build for build in _builds.values() if not build.finished.is_set()]
    for build in running:
        build.stop()


def wait_for(build_id: str, timeout: float) -> bool:
    """Wait until a build has ended; say whether it has."""
    return _builds[build_id].finished.wait(timeout)


def stop(build_id: str) -> None:
    """Stop a build."""
    _builds[build_id].stop()


# Projects


def _body(response: Any, name: str, *, project: dict[str, Any] | None = None) -> dict[str, Any]:
    given = {field: response._get_param(field) for field in _KEEP}  # noqa: SLF001 - moto's own accessor
    document = {**(project or {}), **{field: value for field, value in given.items() if value is not None}}
    partition = f"arn:aws:codebuild:{response.region}:{response.current_account}:project/{name}"
    document.setdefault("arn", partition)
    document.setdefault("encryptionKey", f"arn:aws:kms:{response.region}:{response.current_account}:alias/aws/s3")
    document.setdefault("timeoutInMinutes", 60)
    document.setdefault("cache", {"type": "NO_CACHE"})
    _refuse(document)
    _check_interfaces(document, response.region)
    return document


def _refuse(project: dict[str, Any]) -> None:
    from moto.codebuild.exceptions import InvalidInputException  # noqa: PLC0415 - moto is imported late

    problems = []
    if project["source"]["type"] not in ("CODEPIPELINE", "S3", "NO_SOURCE"):
        problems.append(
            f"source type {project['source']['type']} is not rehearsed (CODEPIPELINE, S3 and NO_SOURCE are)"
        )
    if project["artifacts"]["type"] not in ("CODEPIPELINE", "NO_ARTIFACTS"):
        problems.append(
            f"artifact type {project['artifacts']['type']} is not rehearsed (CODEPIPELINE, NO_ARTIFACTS are)"
        )
    if (project["source"]["type"] == "CODEPIPELINE") != (project["artifacts"]["type"] == "CODEPIPELINE"):
        problems.append("source and artifacts must both be CODEPIPELINE or neither")
    if not str(project["environment"].get("type", "")).startswith(("LINUX", "ARM")):
        problems.append(f"environment type {project['environment'].get('type')} is not rehearsed (Linux is)")
    if ":role/" not in str(project.get("serviceRole", "")):
        problems.append("Invalid service role: Service role ARN is needed")
    if problems:
        raise InvalidInputException("; ".join(problems))


def _check_interfaces(project: dict[str, Any], region: str) -> None:
    from moto.codebuild.exceptions import InvalidInputException  # noqa: PLC0415 - moto is imported late

    refused = interfaces.refused_to_build(project["serviceRole"], project.get("vpcConfig"), region=region)
    if refused is not None:
        msg = f"Not authorized to perform {refused}"
        raise InvalidInputException(msg)


def _create_project(self: Any) -> Any:
    from moto.codebuild.exceptions import ResourceAlreadyExistsException  # noqa: PLC0415 - moto is imported late
    from moto.codebuild.models import CodeBuild  # noqa: PLC0415 - moto is imported late
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

    name = self._get_param("name")
    projects = self.codebuild_backend.codebuild_projects
    if name in projects:
        msg = f"Project already exists: {projects[name].arn}"
        raise ResourceAlreadyExistsException(msg)
    document = _body(self, name)
    project = CodeBuild(
        self.current_account,
        self.region,
        name,
        document.get("description"),
        document["source"],
        document["artifacts"],
        document["environment"],
        document["serviceRole"],
        document.get("tags"),
    )
    project.project_metadata.update(document)
    projects[name] = project
    self.codebuild_backend.build_history[name] = []
    return ActionResult({"project": project.project_metadata})


def _update_project(self: Any) -> Any:
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

    project = _project(self, self._get_param("name"))
    metadata = project.project_metadata
    metadata.update(_body(self, metadata["name"], project=metadata))
    project.service_role = metadata["serviceRole"]
    metadata["lastModified"] = datetime.now(UTC)
    return ActionResult({"project": metadata})


def _project(response: Any, name: str) -> Any:
    from moto.codebuild.exceptions import ResourceNotFoundException  # noqa: PLC0415 - moto is imported late

    projects = response.codebuild_backend.codebuild_projects
    short = name.rsplit("/", 1)[-1]
    if short not in projects:
        arn = f"arn:aws:codebuild:{response.region}:{response.current_account}:project/{short}"
        msg = f"Project cannot be found: {arn}"
        raise ResourceNotFoundException(msg)
    return projects[short]


# Builds


def _start_build(self: Any) -> Any:
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

    project = _project(self, self._get_param("projectName")).project_metadata
    identifier = f"{project['name']}:{uuid.uuid4()}"
    document = _document(self, project, identifier)
    build = Build(document, project, self.region, _announce)
    with _lock:
        _builds[identifier] = build
    self.codebuild_backend.build_history.setdefault(project["name"], []).append(identifier)
    answer = build.describe()
    codebuild_runner.start(build)
    return ActionResult({"build": answer})


def _document(response: Any, project: dict[str, Any], identifier: str) -> dict[str, Any]:
    override = response._get_param  # noqa: SLF001 - moto's own accessor
    now = datetime.now(UTC)
    source = dict(project["source"])
    if override("buildspecOverride"):
        source["buildspec"] = override("buildspecOverride")
    environment = dict(project["environment"])
    variables = {variable["name"]: variable for variable in environment.get("environmentVariables") or []}
    variables |= {variable["name"]: variable for variable in override("environmentVariablesOverride") or []}
    environment["environmentVariables"] = list(variables.values())
    arn = f"arn:aws:codebuild:{response.region}:{response.current_account}:build/{identifier}"
    secondary = override("secondaryArtifactsOverride") or []
    primary = override("artifactsOverride") or ({"type": "NO_ARTIFACTS"} if secondary else dict(project["artifacts"]))
    if not primary.get("location"):
        primary = {"type": "NO_ARTIFACTS"}
    return {
        "id": identifier,
        "arn": arn,
        "buildNumber": len(response.codebuild_backend.build_history.get(project["name"], [])) + 1,
        "startTime": now,
        "currentPhase": "QUEUED",
        "buildStatus": "IN_PROGRESS",
        "buildComplete": False,
        "sourceVersion": override("sourceVersion") or project.get("sourceVersion") or "",
        "projectName": project["name"],
        "phases": [
            {"phaseType": name, "phaseStatus": "SUCCEEDED", "startTime": now, "endTime": now, "durationInSeconds": 0}
            for name in ("SUBMITTED", "QUEUED")
        ],
        "source": source,
        "secondarySources": override("secondarySourcesOverride") or project.get("secondarySources") or [],
        "artifacts": primary,
        "secondaryArtifacts": secondary,
        "environment": environment,
        "serviceRole": override("serviceRoleOverride") or project["serviceRole"],
        "logs": _logs(project, identifier, response),
        "timeoutInMinutes": override("timeoutInMinutesOverride") or project["timeoutInMinutes"],
        "encryptionKey": override("encryptionKeyOverride") or project["encryptionKey"],
        "initiator": _initiator(response),
    }


def _logs(project: dict[str, Any], identifier: str, response: Any) -> dict[str, Any]:
    settings = (project.get("logsConfig") or {}).get("cloudWatchLogs") or {"status": "ENABLED"}
    stream = identifier.rsplit(":", 1)[-1]
    group = settings.get("groupName") or f"/aws/codebuild/{project['name']}"
    if settings.get("streamName"):
        stream = f"{settings['streamName']}/{stream}"
    place = f"arn:aws:logs:{response.region}:{response.current_account}:log-group:{group}:log-stream:{stream}"
    return {"groupName": group, "streamName": stream, "cloudWatchLogsArn": place, "cloudWatchLogs": settings}


def _initiator(response: Any) -> str:
    from moto.sts.models import sts_backends  # noqa: PLC0415 - moto is imported late

    backend = sts_backends[response.current_account]["aws"]
    return str(backend.get_caller_identity(response.access_key, response.region)[1].split(":", 5)[-1])


def _batch_get_builds(self: Any) -> Any:
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

    wanted = [
        identifier.split("/", 1)[-1] if identifier.startswith("arn:") else identifier
        for identifier in self._get_param("ids")
    ]
    return ActionResult(
        {
            "builds": [_builds[identifier].describe() for identifier in wanted if identifier in _builds],
            "buildsNotFound": [identifier for identifier in wanted if identifier not in _builds],
        }
    )


def _stop_build(self: Any) -> Any:
    from moto.codebuild.exceptions import ResourceNotFoundException  # noqa: PLC0415 - moto is imported late
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

    build = _builds.get(self._get_param("id"))
    if build is None:
        msg = f"Build {self._get_param('id')} does not exist"
        raise ResourceNotFoundException(msg)
    build.stop()
    return ActionResult({"build": build.describe()})


def _list_builds(self: Any) -> Any:  # noqa: ARG001 - called as a method
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

    return ActionResult({"ids": list(reversed(_builds))})


def _list_builds_for_project(self: Any) -> Any:
    from moto.core.responses import ActionResult  # noqa: PLC0415 - moto is imported late

    name = _project(self, self._get_param("projectName")).project_metadata["name"]
    return ActionResult({"ids": [identifier for identifier in reversed(_builds) if identifier.startswith(f"{name}:")]})


def _announce(build: Build) -> None:
    from mlops.rehearsal import events  # noqa: PLC0415 - needs moto

    document = build.describe()
    _, _, _, region, account, _ = document["arn"].split(":", 5)
    events.emit(
        "aws.codebuild",
        "CodeBuild Build State Change",
        {
            "build-status": document["buildStatus"],
            "project-name": document["projectName"],
            "build-id": document["arn"],
            "current-phase": document["currentPhase"],
            "version": "1",
        },
        [document["arn"]],
        account=account,
        region=region,
    )
