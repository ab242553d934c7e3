"""Actions that start something and wait for its end: Step Functions, Lambda, CodeBuild."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from mlops.rehearsal import codebuild, codebuild_build, credentials
from mlops.rehearsal.codepipeline_actions import FOREVER, Task, json_setting, text
from mlops.rehearsal.codepipeline_runs import Abandoned, ActionError
from mlops.rehearsal.timeline import TIMELINE, Kind, Phase

JOB_SECONDS = 20 * 60.0
"""How long CodePipeline waits for a Lambda function's answer."""
_LONGEST_MESSAGE = 5000


@dataclass
class Job:
    """What a Lambda function was asked to do, and its answer."""

    id: str
    details: dict[str, Any]
    answered: threading.Event = field(default_factory=threading.Event)
    variables: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    external_id: str | None = None
    failure: dict[str, str] | None = None
    open: bool = True


JOBS: dict[str, Job] = {}


# Step Functions


def step_functions(task: Task) -> dict[str, str]:
    """Start the state machine, wait for its end, and pass on its error and cause."""
    configuration, machine = task.configuration, task.configuration["StateMachineArn"]
    client = task.client("stepfunctions")
    given = configuration.get("Input") or "{}"
    if configuration.get("InputType", "Literal") == "FilePath":
        given = task.file(f"{task.inputs()[0]['name']}::{given}")
    prefix = configuration.get("ExecutionNamePrefix")
    name = f"{prefix}-{task.attempt.id}"[:80] if prefix else task.attempt.id
    try:
        kind = client.describe_state_machine(stateMachineArn=machine)["type"]
        if kind == "EXPRESS":
            message = "an EXPRESS state machine is not rehearsed in a pipeline"
            raise ActionError(message, code="ConfigurationError")
        execution = client.start_execution(stateMachineArn=machine, name=name, input=given)["executionArn"]
    except ClientError as error:
        raise ActionError(text(error), code=_code(error)) from error
    task.tell(external_id=execution, summary=f"Execution {name}")
    try:
        end = task.poll(lambda: _ended(client, execution), seconds=FOREVER, most=0.4)
    except ClientError as error:
        raise ActionError(text(error), code=_code(error)) from error
    if end["status"] != "SUCCEEDED":
        raise ActionError(_cause(end, execution)[:_LONGEST_MESSAGE])
    for artifact in task.attempt.outputs:
        task.put(artifact, _zip({"output.json": end.get("output") or "{}"}))
    return {"StateMachineArn": machine, "ExecutionArn": execution}


def _ended(client: Any, execution: str) -> Any:
    answer = client.describe_execution(executionArn=execution)
    return None if answer["status"] in ("RUNNING", "PENDING_REDRIVE") else answer


def _cause(end: dict[str, Any], execution: str) -> str:
    error, cause = end.get("error"), end.get("cause")
    words = ": ".join(str(word) for word in (error, cause) if word)
    return words or f"The execution {execution} ended as {end['status']}"


# Lambda


def invoke_lambda(task: Task) -> dict[str, str]:
    """Invoke the function with a job, asynchronously as CodePipeline does, and wait for the job's result."""
    job = Job(id=task.attempt.id, details=_job(task))
    JOBS[job.id] = job
    function = task.configuration["FunctionName"].rsplit(":function:", 1)[-1].split(":")[0]
    began = TIMELINE.elapsed()
    try:
        task.client("lambda").invoke(
            FunctionName=task.configuration["FunctionName"],
            InvocationType="Event",
            Payload=json.dumps({"CodePipeline.job": job.details}),
        )
    except ClientError as error:
        job.open = False
        raise ActionError(text(error), code=_code(error)) from error
    try:
        attempts = _attempts(task)
        crash = task.poll(
            lambda: "" if job.answered.is_set() else _crash(function, began, attempts), seconds=JOB_SECONDS, most=0.2
        )
    finally:
        job.open = False
    if job.failure is not None:
        raise ActionError(job.failure.get("message", ""), code=job.failure.get("type", "JobFailed"))
    if job.answered.is_set():
        task.tell(summary=job.summary, external_id=job.external_id)
        return job.variables
    unanswered = (
        f"The AWS Lambda function {function} failed to return a result. Check the function to verify that it has "
        "permission to call the PutJobSuccessResult action and that it made a call to PutJobSuccessResult."
    )
    raise ActionError(f"{unanswered} The invocation failed: {crash}" if crash else unanswered)


def _crash(function: str, began: float, attempts: int) -> str | None:
    """Return why the last attempt at the invocation failed: CodePipeline itself would wait 20 minutes after that.

    The invocation is known by its function and time: moto's answer to an invocation has a request id of its own.
    """
    failures: dict[str, list[str]] = {}
    for event in TIMELINE.events(Kind.LAMBDA):
        if event.phase is Phase.FAILED and event.at >= began and event.name == function:
            reason = str(event.detail.get("error") or "the function failed")
            failures.setdefault(str(event.detail.get("request_id")), []).append(reason)
    return next((reasons[-1] for reasons in failures.values() if len(reasons) >= attempts), None)


def _attempts(task: Task) -> int:
    # Asked as the operator: it is Lambda that tries again, the pipeline's role knows nothing of it.
    client = credentials.client("lambda", account=task.account, region=task.region)
    try:
        config = client.get_function_event_invoke_config(FunctionName=task.configuration["FunctionName"])
    except ClientError:
        config = {}
    return 1 + int(config.get("MaximumRetryAttempts", 2))


def _job(task: Task) -> dict[str, Any]:
    def artifact(one: dict[str, Any]) -> dict[str, Any]:
        place = one["s3location"]
        where = {"type": "S3", "s3Location": {"bucketName": place["bucket"], "objectKey": place["key"]}}
        return {"name": one["name"], "revision": None, "location": where}

    configuration = {"FunctionName": task.configuration["FunctionName"]}
    if "UserParameters" in task.configuration:
        configuration["UserParameters"] = task.configuration["UserParameters"]
    keys = task.keys()
    data: dict[str, Any] = {
        "actionConfiguration": {"configuration": configuration},
        "inputArtifacts": [artifact(one) for one in task.inputs()],
        "outputArtifacts": [artifact(one) for one in task.attempt.outputs],
        "artifactCredentials": {
            "accessKeyId": keys.access_key_id,
            "secretAccessKey": keys.secret_access_key,
            "sessionToken": keys.session_token,
        },
    }
    if task.key_id:
        data["encryptionKey"] = {"id": task.key_id, "type": "KMS"}
    return {"id": task.attempt.id, "accountId": task.run.account, "data": data}


# CodeBuild


def code_build(task: Task) -> dict[str, str]:
    """Start a build on the input artifacts, wait for its end, and take over its artifacts and exported variables."""
    configuration, client = task.configuration, task.client("codebuild")
    inputs = {artifact["name"]: artifact["s3location"] for artifact in task.inputs()}
    primary = configuration.get("PrimarySource") or next(iter(inputs), None)
    if primary is None or primary not in inputs:
        message = f"PrimarySource {primary} is not among the input artifacts ({', '.join(inputs) or 'none'})"
        raise ActionError(message, code="ConfigurationError")
    order: dict[str, Any] = {
        "projectName": configuration["ProjectName"],
        "sourceVersion": _object_arn(inputs[primary]),
        "secondarySourcesOverride": [
            {"type": "S3", "location": f"{place['bucket']}/{place['key']}", "sourceIdentifier": name}
            for name, place in inputs.items()
            if name != primary
        ],
        "environmentVariablesOverride": json_setting(configuration, "EnvironmentVariables") or [],
        **_targets(task.attempt.outputs),
    }
    if task.key_id:
        order["encryptionKeyOverride"] = task.key_id
    try:
        identifier = client.start_build(**order)["build"]["id"]
        task.tell(external_id=identifier)
        task.poll(lambda: codebuild.wait_for(identifier, 0.1) or None, seconds=FOREVER, most=0.05)
        build = client.batch_get_builds(ids=[identifier])["builds"][0]
    except Abandoned:
        codebuild.stop(identifier)
        raise
    except ClientError as error:
        raise ActionError(text(error), code=_code(error)) from error
    task.tell(log_stream=build["logs"].get("cloudWatchLogsArn"))
    if build["buildStatus"] != "SUCCEEDED":
        cause = codebuild_build.failure(build)
        raise ActionError(f"Build terminated with state: {build['buildStatus']}" + (f". {cause}" if cause else ""))
    return {one["name"]: one["value"] for one in build.get("exportedEnvironmentVariables", [])}


def _targets(outputs: list[dict[str, Any]]) -> dict[str, Any]:
    def target(artifact: dict[str, Any]) -> dict[str, Any]:
        place = artifact["s3location"]
        folder, _, name = place["key"].rpartition("/")
        return {"type": "CODEPIPELINE", "location": place["bucket"], "path": folder, "name": name, "packaging": "ZIP"}

    if len(outputs) == 1:
        return {"artifactsOverride": target(outputs[0])}
    named = [{**target(artifact), "artifactIdentifier": artifact["name"]} for artifact in outputs]
    return {"secondaryArtifactsOverride": named} if named else {}


def _object_arn(place: dict[str, str]) -> str:
    return f"arn:aws:s3:::{place['bucket']}/{place['key']}"


def _zip(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _code(error: ClientError) -> str:
    denied = "AccessDenied" in error.response["Error"]["Code"]
    return "PermissionError" if denied else "JobFailed"


HANDLERS: dict[str, Callable[[Task], dict[str, str]]] = {
    "Invoke/StepFunctions": step_functions,
    "Invoke/Lambda": invoke_lambda,
    "Build/CodeBuild": code_build,
    "Test/CodeBuild": code_build,
}
