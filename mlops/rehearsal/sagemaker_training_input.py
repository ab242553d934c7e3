"""What a training container finds under /opt/ml/input besides its data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(base: Path, request: Mapping[str, Any], *, instance_type: str) -> None:
    """Write the folders and the documents that a training container expects under `base`, its /opt/ml."""
    for folder in ("input/config", "input/data", "model", "output/data", "code"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode")
            or request["AlgorithmSpecification"].get("TrainingInputMode", "File"),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }
        for channel in request.get("InputDataConfig") or []
    }
    resources = {
        "current_host": "algo-1",
        "hosts": ["algo-1"],
        "network_interface_name": "lo",
        "current_instance_type": instance_type,
        "current_group_name": "homogeneousCluster",
        "instance_groups": [
            {
                "instance_group_name": "homogeneousCluster",
                "instance_type": instance_type,
                "hosts": ["algo-1"],
            }
        ],
    }
    documents = {
        "hyperparameters": request.get("HyperParameters") or {},
        "inputdataconfig": channels,
        "resourceconfig": resources,
        "checkpointconfig": request.get("CheckpointConfig"),
    }
    for name, document in documents.items():
        if document is not None:
            (base / "input" / "config" / f"{name}.json").write_text(json.dumps(document))


def garble(base: Path) -> None:
    """Make the data of every channel useless: a container has to say so and to exit with 1."""
    for path in (base / "input" / "data").rglob("*"):
        if path.is_file():
            path.write_bytes(b"garbled by the rehearsal: training-failure\x00\n")
