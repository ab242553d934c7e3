"""What rows a model is asked with: features as they were learned, or rows as they are in the raw data."""

from __future__ import annotations

from mlops_constructs.settings.serving import InferencePipeline, Serving
from mlops_constructs.settings.serving_batch import Batch


def takes_raw_rows(settings: Serving) -> bool:
    """Whether whoever asks sends rows as they are in the raw data."""
    return isinstance(settings, InferencePipeline | Batch)


def labelled_rows(settings: Serving) -> str:
    """Return where a run has the rows that verify a deployment, below its folder: as they are sent."""
    return "prepared/requests/test.csv" if takes_raw_rows(settings) else "prepared/test/test.csv"
