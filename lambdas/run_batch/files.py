"""The files of batches in S3: those that wait, and the manifests of those that have been answered.

Of a batch, the manifest is written last, in one piece: who looks for manifests sees whole batches only, and a file that
no manifest lists has not been answered.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lambdas.run_batch.events import File, Plan
from lambdas.shared.events import read
from lambdas.shared.storage import split_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.shared.storage import Storage

MOST_FILES = 1_000
"""Of one batch; the next one has the rest."""


class Folders:
    """The folders of one environment: of its files, and of their answers."""

    def __init__(self, s3: Any, storage: Storage, *, input_uri: str, output_uri: str) -> None:
        """Use the client `s3`."""
        self._s3, self._storage = s3, storage
        self.input_uri, self.output_uri = input_uri, output_uri

    def waiting(self) -> list[File]:
        """Return the files that no manifest lists, by their keys; a file that has changed is another one."""
        answered = {(file.key, file.etag) for plan in self._manifests() for file in plan.files}
        found = [file for file in self._files() if (file.key, file.etag) not in answered]
        return sorted(found, key=lambda file: file.key)[:MOST_FILES]

    def unchanged(self, file: File) -> bool:
        """Whether a file is still what it was when the batch began."""
        found = {one.key: one.etag for one in self._listed(split_uri(self.input_uri)[0], file.key)}
        return found.get(file.key) == file.etag

    def place(self, file: File) -> str:
        """Return where a file lies below the folder."""
        return file.key.removeprefix(split_uri(self.input_uri)[1])

    def answers_uri(self, plan: Plan, file: File) -> str:
        """Return where the answers to a file are."""
        return f"{self.output_uri}answers/{plan.batch}/{self.place(file)}.out"

    def request_uri(self, batch: str) -> str:
        """Return where the list of a batch's files is, as a transform job reads it."""
        return f"{self.output_uri}requests/{batch}.manifest"

    def manifest_uri(self, batch: str) -> str:
        """Return where the manifest of a batch will be."""
        return f"{self.output_uri}manifests/{batch}.json"

    def write_plan(self, plan: Plan) -> None:
        """Write what a transform job reads, and what is remembered until it has ended."""
        places = [{"prefix": self.input_uri}, *(self.place(file) for file in plan.files)]
        bucket, key = split_uri(self.request_uri(plan.batch))
        self._s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(places).encode(), ContentType="application/json")
        self._storage.write_json(self._plan_uri(plan.batch), plan.model_dump(mode="json", by_alias=True))

    def read_plan(self, batch: str) -> Plan:
        """Return what the batch consists of."""
        uri = self._plan_uri(batch)
        return read(Plan, self._storage.read_json(uri), what=uri)

    def _plan_uri(self, batch: str) -> str:
        return f"{self.output_uri}requests/{batch}.json"

    def _manifests(self) -> Iterator[Plan]:
        bucket, prefix = split_uri(f"{self.output_uri}manifests/")
        for file in self._listed(bucket, prefix):
            uri = f"s3://{bucket}/{file.key}"
            document = self._storage.read_json(uri)
            yield read(Plan, document.get("plan") if isinstance(document, dict) else document, what=uri)

    def _files(self) -> Iterator[File]:
        bucket, prefix = split_uri(self.input_uri)
        yield from (file for file in self._listed(bucket, prefix) if file.size)

    def _listed(self, bucket: str, prefix: str) -> Iterator[File]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for each in page.get("Contents", []):
                yield File(key=each["Key"], etag=each["ETag"].strip('"'), size=each["Size"])
