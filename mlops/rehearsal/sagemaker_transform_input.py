"""Which objects a transform job transforms: those below a prefix, or those that a manifest lists.

The manifest: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TransformS3DataSource.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mlops.rehearsal import sagemaker_storage
from mlops.rehearsal.sagemaker_job import JobError


def objects(client: Any, source: str, data_type: str) -> tuple[str, str, Iterable[str]]:
    """Return the bucket, the prefix that the names of the answers leave out, and the keys.

    Raises:
        JobError: the manifest is none.

    """
    bucket, key = sagemaker_storage.split(source)
    if data_type == "S3Prefix":
        return bucket, key, sagemaker_storage.keys(client, source)
    try:
        first, *places = json.loads(sagemaker_storage.read(client, bucket, key))
        place, prefix = sagemaker_storage.split(first["prefix"])
        keys = [f"{prefix}{each}" for each in places if isinstance(each, str)]
    except (ValueError, KeyError, TypeError) as error:
        message = f'ClientError: the manifest {source} is not [{{"prefix": "s3://..."}}, "..."]: {error}'
        raise JobError(message) from error
    if len(keys) != len(places) or not keys:
        message = f"ClientError: the manifest {source} names no objects"
        raise JobError(message)
    return place, prefix, keys
