"""The first container of an inference pipeline: raw rows in, the features of the model out.

It runs in script mode of SageMaker's XGBoost image, which prepare runs in too; the archive that prepare packs holds it
beside the modules that it needs. The functions are those that the image looks for:
https://sagemaker.readthedocs.io/en/stable/frameworks/xgboost/using_xgboost.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from job_settings import column_of
from row_encoder import RequestError, RowEncoder

COLUMNS = "columns.json"
CSV, JSON = "text/csv", "application/json"
BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE = 400, 415


def model_fn(model_dir: str) -> RowEncoder:
    """Load the columns that prepare has written."""
    columns = json.loads(Path(model_dir, COLUMNS).read_text(encoding="utf-8"))["columns"]
    return RowEncoder([column_of(name, values) for name, values in columns.items()])


def transform_fn(model: RowEncoder, content: str | bytes, content_type: str, _accept: str) -> Any:
    """Answer one request; what the caller accepts is meant for the last container, this one feeds the next."""
    kind = content_type.partition(";")[0].strip().lower()
    encode = {CSV: model.from_csv, JSON: model.from_json}.get(kind)
    if encode is None:
        text = f"the content type {content_type[:80]} is not one of {CSV}, {JSON}"
        return _refused(UNSUPPORTED_MEDIA_TYPE, [text])
    try:
        return encode(content if isinstance(content, str) else content.decode("utf-8")), CSV
    except RequestError as error:
        return _refused(BAD_REQUEST, list(error.args))
    except UnicodeDecodeError as error:
        return _refused(BAD_REQUEST, [f"the body is not UTF-8: {error.reason} at byte {error.start}"])


def _refused(status: int, problems: list[str]) -> Any:
    # What is raised here becomes 500. The image answers with Flask; its import waits for the first wrong request.
    from flask import Response  # noqa: PLC0415

    return Response(json.dumps({"error": "; ".join(problems)}), status=status, mimetype=JSON)
