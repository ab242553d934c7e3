"""One build: its phases in CodeBuild's order, under the project's service role, on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal import credentials
from mlops.rehearsal.codebuild_build import Build, BuildLog, failure, moment, reason
from mlops.rehearsal.codebuild_buildspec import ArtifactSpec, BuildError, Buildspec, OnFailure, parse
from mlops.rehearsal.codebuild_buildspec import Phase as PhaseSpec
from mlops.rehearsal.codebuild_shell import Shell, Workspace
from mlops.rehearsal.faults import FAULTS, Fault
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

PRINCIPAL = "codebuild.amazonaws.com"
_IMAGE_BUILD = "mlops build-image"
_VALIDATED: set[str] = set()
"""What has been built once: the CDK's validation of the same templates, half of a synthesis, would say the same."""


def start(build: Build) -> None:
    """Run a build in a thread of its own."""
    threading.Thread(target=_Runner(build).run, name=f"build {build.id}", daemon=True).start()


class _Runner:
    def __init__(self, build: Build) -> None:
        self.build = build
        self.role = str(build.document["serviceRole"])
        self.workspace = Workspace()
        self.ok = True
        self.deadline = time.monotonic() + 60 * int(build.document["timeoutInMinutes"])
        self.log = BuildLog(build, self.client)
        self.spec: Buildspec | None = None
        self._tree = ""
        """Digest of the source and of what is done with it."""

    def client(self, service: str) -> Any:
        return credentials.client(service, role_arn=self.role, region=self.build.region, principal=PRINCIPAL)

    def run(self) -> None:
        TIMELINE.emit(Kind.JOB, self.build.id, Phase.STARTED, type="build")
        self.build.announce(self.build)
        try:
            self._phases()
        except Exception as error:  # noqa: BLE001 - a defect of the rehearsal must not look like a build that runs
            self.ok = False
            self.log.write(f"the rehearsal cannot run this build: {type(error).__name__}: {error}")
            self._record("FINALIZING", time.time(), BuildError("INTERNAL_ERROR", f"{type(error).__name__}: {error}"))
        finally:
            self.workspace.remove()
            self._finish()

    def _phases(self) -> None:
        """Walk through the phases; which one follows a failure is CodeBuild's rule."""
        if not self._phase("PROVISIONING", self.log.open):
            return
        if not self._phase("DOWNLOAD_SOURCE", self._download):
            return
        spec = self.spec
        if spec is None or not self._phase("INSTALL", self._prepare_shell):
            return
        if not self._commands("PRE_BUILD", spec.phases.get("pre_build", PhaseSpec())):
            return
        if not self._commands("BUILD", spec.phases.get("build", PhaseSpec()), last=False):
            return
        if not self._commands("POST_BUILD", spec.phases.get("post_build", PhaseSpec()), last=False):
            return
        self._phase("UPLOAD_ARTIFACTS", self._upload)

    def _phase(self, name: str, work: Callable[[], None]) -> bool:
        began = time.time()
        with self.build.lock:
            self.build.document["currentPhase"] = name
        if self.build.stopping.is_set():
            return False
        problem: BuildError | None = None
        try:
            work()
        except BuildError as error:
            problem = error
            self.ok = False
        except ClientError as error:
            problem = BuildError("CLIENT_ERROR", reason(error))
            self.ok = False
        self._record(name, began, problem)
        return problem is None

    def _commands(self, name: str, spec: PhaseSpec, *, last: bool = True) -> bool:
        """Run a phase's commands; say whether the build goes on."""
        if not (spec.commands or spec.finally_commands):
            return self._phase(name, lambda: None)
        done = self._phase(name, lambda: self._run_commands(name, spec))
        stopped = self.build.stopping.is_set() or (self.build.shell is not None and self.build.shell.stopped)
        if done or stopped:
            return done
        if spec.on_failure is OnFailure.DEFAULT:
            return not last
        return spec.on_failure is OnFailure.CONTINUE

    def _run_commands(self, name: str, spec: PhaseSpec) -> None:
        shell = self.build.shell
        assert shell is not None  # noqa: S101 - made before the first command
        self.log.say(f"Entering phase {name}")
        problem: BuildError | None = None
        for command in spec.commands:
            problem = self._command(shell, command)
            if problem is not None:
                break
        for command in spec.finally_commands:
            failure = self._command(shell, command)
            problem = problem or failure
        if problem is not None:
            raise problem

    def _command(self, shell: Shell, command: str) -> BuildError | None:
        if shell.timed_out:
            return BuildError("BUILD_TIMED_OUT", "Build has timed out.")
        if shell.stopped:
            return BuildError("BUILD_STOPPED", "the build was stopped")
        shell.environment["CODEBUILD_BUILD_SUCCEEDING"] = "1" if self.ok else "0"
        self.log.say(f"Running command {command}")
        status = shell.run(self._sabotaged(command))
        if shell.timed_out:
            return BuildError("BUILD_TIMED_OUT", "Build has timed out.")
        if status == 0:
            return None
        self.ok = False
        self.log.say(f"Command did not exit successfully {command} exit status {status}")
        return BuildError(
            "COMMAND_EXECUTION_ERROR", f"Error while executing command: {command}. Reason: exit status {status}"
        )

    def _sabotaged(self, command: str) -> str:
        project = self.build.document["projectName"]
        if _IMAGE_BUILD in command and FAULTS.strikes(Fault.IMAGE_BUILD_FAILURE, at=project):
            return "echo 'the rehearsal lets the build of the image fail (image-build-failure)' >&2; exit 1"
        return command

    def _record(self, name: str, began: float, problem: BuildError | None) -> None:
        now = time.time()
        status = "SUCCEEDED" if problem is None else "FAILED"
        if problem is not None and problem.code == "BUILD_TIMED_OUT":
            status = "TIMED_OUT"
        context = (
            {"statusCode": problem.code, "message": problem.message} if problem else {"statusCode": "", "message": ""}
        )
        with self.build.lock:
            self.build.document["phases"].append(
                {
                    "phaseType": name,
                    "phaseStatus": status,
                    "startTime": moment(began),
                    "endTime": moment(now),
                    "durationInSeconds": int(now - began),
                    "contexts": [context],
                }
            )
        self.log.say(f"Phase complete: {name} State: {status}")
        self.log.say(f"Phase context status code: {context['statusCode']} Message: {context['message']}")
        self.log.flush()

    # The work of each phase

    def _download(self) -> None:
        document = self.build.document
        if document["source"]["type"] != "NO_SOURCE":
            version = document.get("sourceVersion", "")
            bucket, key = _location(document["source"], version)
            self._unpack(bucket, key, self.workspace.source, version="" if version.startswith("arn:") else version)
        for extra in document["secondarySources"]:
            bucket, key = _location(extra, "")
            self._unpack(bucket, key, self.workspace.secondary(extra["sourceIdentifier"]))
        declared = document["source"].get("buildspec") or "buildspec.yml"
        if "\n" not in declared and not declared.lstrip().startswith("{"):
            path = self.workspace.source / declared
            if not path.is_file():
                code = "YAML_FILE_ERROR"
                raise BuildError(code, f"stat {declared}: no such file or directory")
            declared = path.read_text(encoding="utf-8")
        self.spec = parse(declared)
        self._tree = hashlib.sha256(f"{self._tree}\n{declared}".encode()).hexdigest()

    def _unpack(self, bucket: str, key: str, folder: Path, *, version: str = "") -> None:
        asked = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
        try:
            answer = self.client("s3").get_object(**asked)
            content = answer["Body"].read()
            self._tree += hashlib.sha256(content).hexdigest()
        except ClientError as error:
            code = "CLIENT_ERROR"
            message = f"{reason(error)} for primary source and source version arn:aws:s3:::{bucket}/{key}"
            raise BuildError(code, message) from error
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.infolist():
                    target = Path(archive.extract(member, folder))
                    mode = member.external_attr >> 16
                    if mode & 0o111 and target.is_file():
                        target.chmod(mode & 0o777)
        except zipfile.BadZipFile as error:
            code = "CLIENT_ERROR"
            raise BuildError(code, f"{bucket}/{key} is not a zip file") from error

    def _prepare_shell(self) -> None:
        spec = self.spec
        assert spec is not None  # noqa: S101 - the source phase read it
        if spec.phases.get("install", PhaseSpec()).commands:
            self.log.write("install: not run, the environment of this project stands in for what it would install")
        environment = credentials.environment_for(
            self.role, self.build.region, principal=PRINCIPAL, source_arn=self.build.document["arn"]
        )
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the next build starts faster from compiled modules
        environment |= self.workspace.stand_in_for_install() | self._codebuild_variables()
        if self._tree in _VALIDATED:
            environment["CDK_VALIDATION"] = "false"
        environment |= dict(spec.variables) | self._stored(spec)
        for variable in self.build.document["environment"]["environmentVariables"]:
            environment[variable["name"]] = self._value(variable)
        self.build.shell = Shell(
            program=spec.shell,
            workspace=self.workspace,
            environment=environment,
            deadline=self.deadline,
            write=self.log.write,
        )
        if self.build.stopping.is_set():
            self.build.shell.stop()

    def _codebuild_variables(self) -> dict[str, str]:
        document = self.build.document
        return {
            "CODEBUILD_BUILD_ARN": document["arn"],
            "CODEBUILD_BUILD_ID": document["id"],
            "CODEBUILD_BUILD_IMAGE": document["environment"]["image"],
            "CODEBUILD_BUILD_NUMBER": str(document["buildNumber"]),
            "CODEBUILD_BUILD_SUCCEEDING": "1",
            "CODEBUILD_INITIATOR": document["initiator"],
            "CODEBUILD_KMS_KEY_ID": document["encryptionKey"],
            "CODEBUILD_LOG_PATH": document["logs"].get("streamName", ""),
            "CODEBUILD_RESOLVED_SOURCE_VERSION": document.get("resolvedSourceVersion", ""),
            "CODEBUILD_SOURCE_VERSION": document.get("sourceVersion", ""),
            "CODEBUILD_SRC_DIR": str(self.workspace.source),
            "CODEBUILD_START_TIME": str(int(time.time() * 1000)),
            **{
                f"CODEBUILD_SRC_DIR_{extra['sourceIdentifier']}": str(
                    self.workspace.secondary(extra["sourceIdentifier"])
                )
                for extra in document["secondarySources"]
            },
        }

    def _stored(self, spec: Buildspec) -> dict[str, str]:
        kinds = {"PARAMETER_STORE": spec.parameter_store, "SECRETS_MANAGER": spec.secrets}
        return {
            name: self._value({"type": kind, "value": reference})
            for kind, references in kinds.items()
            for name, reference in references.items()
        }

    def _value(self, variable: dict[str, str]) -> str:
        kind, value = variable.get("type", "PLAINTEXT"), variable["value"]
        if kind == "PARAMETER_STORE":
            return str(self.client("ssm").get_parameter(Name=value, WithDecryption=True)["Parameter"]["Value"])
        if kind == "SECRETS_MANAGER":
            secret, _, key = value.rpartition(":") if value.count(":") in (1, 7) else (value, "", "")
            text = str(self.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
            return str(json.loads(text)[key]) if key else text
        return value

    def _upload(self) -> None:
        spec, document = self.spec, self.build.document
        assert spec is not None  # noqa: S101 - the source phase read it
        if document["artifacts"]["type"] != "NO_ARTIFACTS":
            self._pack(spec.artifacts, document["artifacts"], "artifacts")
        for artifact in document["secondaryArtifacts"]:
            name = artifact["artifactIdentifier"]
            self._pack(spec.secondary.get(name), artifact, f"artifacts.secondary-artifacts.{name}")

    def _pack(self, spec: ArtifactSpec | None, target: dict[str, Any], where: str) -> None:
        if spec is None:
            code = "CLIENT_ERROR"
            raise BuildError(code, f"no artifact definition found in the buildspec: {where}.files is missing")
        files = spec.collect(self.workspace.source)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, name in files:
                archive.write(path, name)
        self.log.say(f"Uploading {len(files)} files as {target['name']}")
        self.client("s3").put_object(
            Bucket=target["location"],
            Key="/".join(part.strip("/") for part in (target.get("path", ""), target["name"]) if part),
            Body=buffer.getvalue(),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self.build.document["encryptionKey"],
        )

    def _finish(self) -> None:
        status = "SUCCEEDED" if self.ok else "FAILED"
        if self.ok:
            _VALIDATED.add(self._tree)
        shell, spec = self.build.shell, self.spec
        if self.build.stopping.is_set():
            status = "STOPPED"
        elif shell is not None and shell.timed_out:
            status = "TIMED_OUT"
        exported = [
            {"name": name, "value": shell.environment.get(name, "")}
            for name in (spec.exported if spec and shell else ())
            if shell is not None
        ]
        with self.build.lock:
            now = moment(time.time())
            self.build.document.update(
                buildStatus=status,
                currentPhase="COMPLETED",
                buildComplete=True,
                endTime=now,
                exportedEnvironmentVariables=exported,
            )
            self.build.document["phases"].append({"phaseType": "COMPLETED", "startTime": now})
        cause = failure(self.build.document)
        TIMELINE.emit(
            Kind.JOB,
            self.build.id,
            Phase.SUCCEEDED if status == "SUCCEEDED" else Phase.FAILED,
            type="build",
            cause=cause,
        )
        self.build.announce(self.build)
        self.build.finished.set()


def _location(source: dict[str, Any], version: str) -> tuple[str, str]:
    place = version.removeprefix("arn:aws:s3:::") if version.startswith("arn:aws:s3:::") else source.get("location", "")
    bucket, _, key = place.partition("/")
    if not key:
        code = "CLIENT_ERROR"
        raise BuildError(code, f"the source of type {source['type']} has no location")
    return bucket, key
