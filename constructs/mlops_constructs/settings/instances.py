"""Which instance types SageMaker offers in which region, from the tables that cfn-lint ships.

Read without importing cfn-lint, whose import takes seconds.
"""

from __future__ import annotations

import importlib.util
import json
import re
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final


class Use(StrEnum):
    """What an instance is for; SageMaker offers different types for each."""

    TRAINING = "training"
    PROCESSING = "processing"
    HOSTING = "hosting"
    TRANSFORM = "transform"


# The price list that the tables come from has no table of its own for training. Types for training are those of
# processing jobs plus those of HyperPod clusters, which have the large GPUs that processing lacks.
_TABLES: Final = {
    Use.TRAINING: ("processing", "cluster"),
    Use.PROCESSING: ("processing",),
    Use.HOSTING: ("hosting",),
    Use.TRANSFORM: ("transform",),
}

# Types that have a price, but that the API does not know; a test compares with botocore's model of the API.
_UNKNOWN_TO_API: Final = {
    Use.TRAINING: re.compile(
        r"^ml\.(c5\.(12|24)xlarge|c5n?\.large|c6i\.large|m5\.(8|16)xlarge|([cm][68]a|gr6|i3en)\..+)$"
    ),
    Use.PROCESSING: re.compile(r"^ml\.(c6i\.large|p6-b[23]00\..+)$"),
    Use.HOSTING: re.compile(r"^ml\.(t3\..+|c5\.(12|24)xlarge|(m5d?|r5)\.(8|16)xlarge)$"),
    Use.TRANSFORM: re.compile(r"^ml\.(t3|r5|g6f)\..+$"),
}

_NEURON = re.compile(r"^ml\.(inf|trn)\d")
_GRAVITON = re.compile(r"^ml\.[a-z]\d+g[a-z]*\.")
_GPU = re.compile(r"^ml\.(g|p)\d")


@cache
def offered(use: Use, region: str) -> frozenset[str]:
    """List the instance types for `use` in `region`; empty where the region is not in the tables."""
    types = frozenset[str]().union(*(_table(name).get(region, frozenset()) for name in _TABLES[use]))
    return frozenset(each for each in types if not _UNKNOWN_TO_API[use].match(each))


def offered_anywhere(use: Use) -> frozenset[str]:
    """List the instance types for `use` in any region."""
    regions = {region for name in _TABLES[use] for region in _table(name)}
    return frozenset[str]().union(*(offered(use, region) for region in regions))


def without_xgboost(instance_type: str) -> str | None:
    """Say why the XGBoost image cannot run on an instance type; None where it can."""
    if _NEURON.match(instance_type):
        return "has AWS Inferentia or Trainium chips, which XGBoost cannot use"
    if _GRAVITON.match(instance_type):
        return "has an ARM processor, for which the XGBoost image is not built"
    return None


def without_built_image(instance_type: str) -> str | None:
    """Say why an image that the pipeline builds cannot run on an instance type; None where it can."""
    if _GRAVITON.match(instance_type):
        return "has an ARM processor, for which the pipeline does not build the image"
    return None


def has_gpu(instance_type: str) -> bool:
    """Tell whether an instance type has an NVIDIA GPU."""
    return _GPU.match(instance_type) is not None


@cache
def _table(name: str) -> dict[str, frozenset[str]]:
    spec = importlib.util.find_spec("cfnlint")  # finds a top-level package without importing it
    if spec is None or not spec.submodule_search_locations:
        msg = "cfn-lint, whose instance tables the settings are checked with, is not installed: run 'make test' once"
        raise ModuleNotFoundError(msg, name="cfnlint")
    folder = Path(spec.submodule_search_locations[0], "data", "schemas", "extensions", f"aws_sagemaker_{name}")
    table = json.loads((folder / "instancetype_enum.json").read_text(encoding="utf-8"))
    return {region: frozenset(entry["enum"]) for region, entry in table.items() if isinstance(entry, dict)}
