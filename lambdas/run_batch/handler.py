"""Entry point: the first and the last state of a batch."""

from __future__ import annotations

from typing import Any

from lambdas.run_batch.batch import publish, select
from lambdas.run_batch.events import BatchEvent
from lambdas.run_batch.files import Folders
from lambdas.shared.clients import client
from lambdas.shared.events import read
from lambdas.shared.logs import logged, logger
from lambdas.shared.storage import Storage

LOG = logger("run_batch")


@logged(LOG)
def handle(event: object, _context: Any) -> dict[str, Any]:
    """Choose the files of the batch in `event`, or publish their answers."""
    asked = read(BatchEvent, event)
    s3 = client("s3")
    folders = Folders(s3, Storage(s3), input_uri=asked.input_uri, output_uri=asked.output_uri)
    return select(asked, folders, LOG) if asked.phase == "select" else publish(asked, folders, Storage(s3), LOG)
