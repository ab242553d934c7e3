"""Entry point: the last state of the training workflow."""

from __future__ import annotations

from typing import Any

from lambdas.register_model.logic import RegisterEvent, register
from lambdas.shared.clients import client
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.metrics import reported
from lambdas.shared.registry import Registry, version_of
from lambdas.shared.storage import Storage

LOG = logger("register_model")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Register the model in `event` as pending approval, and write down where it comes from."""
    asked = read(RegisterEvent, event)
    storage = Storage(client("s3"))
    metrics = reported(storage.read_json(asked.evaluation_uri), asked.task)
    arn = register(asked, metrics, Registry(client("sagemaker")))
    answer = {
        "modelPackageArn": arn,
        "modelPackageVersion": version_of(arn),
        "imageUri": asked.image_uri,
        "modelDataUrl": asked.model_data_url,
        "trainingJobName": asked.training_job_name,
    }
    facts = asked.model_dump(mode="json", by_alias=True, exclude={"registration_uri"}, exclude_none=True)
    storage.write_json(asked.registration_uri, {"version": 1, **facts, **answer, "metrics": metrics})
    LOG.info("model registered", run=asked.run, model_package_arn=arn)
    return answer
