"""The beginning and the end of a batch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambdas.run_batch.events import Plan
from lambdas.run_batch.logic import check_file
from lambdas.run_batch.running import other_batch
from lambdas.shared.clients import client
from lambdas.shared.current import current_version
from lambdas.shared.decisions import Check, all_passed, summarize
from lambdas.shared.storage import split_uri

if TYPE_CHECKING:
    from aws_lambda_powertools.logging import Logger

    from lambdas.run_batch.events import BatchEvent, File
    from lambdas.run_batch.files import Folders
    from lambdas.shared.storage import Storage

FILE_LIMIT = 5 * 1024 * 1024 * 1024
"""Of one file: larger ones take longer to count than a function may run."""


def select(asked: BatchEvent, folders: Folders, log: Logger) -> dict[str, Any]:
    """Plan a batch of what is new, or say why there is none."""
    current = current_version(client("ssm"), asked.current)
    if current is None:
        return {"found": False, "reason": f"no version is deployed to {asked.environment} yet"}
    running = other_batch(client("stepfunctions"), asked.state_machine, asked.batch)
    if running is not None:
        return {"found": False, "reason": f"the batch {running} has not ended; the next one takes what is new then"}
    files = folders.waiting()
    if not files:
        return {"found": False, "reason": f"nothing new is in {asked.input_uri}"}
    plan = Plan(
        batch=asked.batch,
        model_name=current.model_name,
        model_package_arn=current.model_package_arn,
        model_data_url=current.model_data_url,
        files=files,
    )
    folders.write_plan(plan)
    log.info("batch planned", batch=asked.batch, files=len(files), model=current.model_name)
    return {
        "found": True,
        "reason": "",
        "modelName": plan.model_name,
        "requestUri": folders.request_uri(plan.batch),
        "answersUri": f"{asked.output_uri}answers/{plan.batch}",
    }


def publish(asked: BatchEvent, folders: Folders, storage: Storage, log: Logger) -> dict[str, Any]:
    """Check every file of the batch; only when all are right, write the manifest that makes them visible."""
    plan = folders.read_plan(asked.batch)
    checks = [_checked(asked, folders, storage, plan, file) for file in plan.files]
    result = {"passed": all_passed(checks), "summary": summarize(f"Batch {asked.batch}", checks)}
    uri = folders.manifest_uri(asked.batch)
    if result["passed"]:
        answers = {file.key: split_uri(folders.answers_uri(plan, file))[1] for file in plan.files}
        document = {
            "version": 1,
            "publishedAt": datetime.now(UTC).isoformat(),
            "environment": asked.environment,
            "plan": plan.model_dump(mode="json", by_alias=True),
            "answers": answers,
            "rows": {check.name: check.value for check in checks},
        }
        storage.write_json(uri, document)
    log.info("batch judged", batch=asked.batch, passed=result["passed"], summary=result["summary"])
    return {**result, "manifestUri": uri}


def _checked(asked: BatchEvent, folders: Folders, storage: Storage, plan: Plan, file: File) -> Check:
    if not folders.unchanged(file):
        reason = f"{file.key} changed while it was answered: the next batch answers what it is now"
        return Check(name=file.key, passed=False, reason=reason)
    bucket = split_uri(asked.input_uri)[0]
    return check_file(
        file,
        storage.lines(f"s3://{bucket}/{file.key}", limit=FILE_LIMIT),
        storage.lines(folders.answers_uri(plan, file), limit=FILE_LIMIT),
        width=asked.width,
        task=asked.task,
    )
