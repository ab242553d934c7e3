"""What a training must remember to go on after an interruption as if there had been none."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from segmentation.hyperparameters import Hyperparameters
from segmentation.job import JobError
from segmentation.model_files import read_tensors, write_tensors

FILE = "checkpoint.pt"
FREE = ("epochs", "max_steps", "maximum_detections", "minimum_score", "workers")
"""Hyperparameters that may differ from those that a checkpoint was made with."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training has come."""

    epoch: int = 0
    step: int = 0
    """Steps done in this epoch."""
    steps: int = 0
    """Steps done in all."""


def save(
    folder: Path, *, network: nn.Module, optimizer: Optimizer, progress: Progress, fingerprint: dict[str, Any]
) -> None:
    """Write the checkpoint in the place of the last one."""
    document = {
        "progress": dataclasses.asdict(progress),
        "fingerprint": fingerprint,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    write_tensors(folder / FILE, document)


def restore(folder: Path, *, network: nn.Module, optimizer: Optimizer, fingerprint: dict[str, Any]) -> Progress:
    """Take up the checkpoint where there is one."""
    path = folder / FILE
    if not path.is_file():
        return Progress()
    document = read_tensors(path)
    try:
        made_with = document["fingerprint"]
        different = sorted(name for name in fingerprint | made_with if fingerprint.get(name) != made_with.get(name))
        if different:
            names = ", ".join(f"{name} {made_with.get(name)!r} -> {fingerprint.get(name)!r}" for name in different)
            msg = f"the checkpoint was made with other settings ({names}): restore them or begin with an empty folder"
            raise JobError(msg)
        network.load_state_dict(document["network"])
        optimizer.load_state_dict(document["optimizer"])
        return Progress(**document["progress"])
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        msg = f"{path} is not a checkpoint of this training: {str(error)[:300]}"
        raise JobError(msg) from error


def fingerprint_of(settings: Hyperparameters, **facts: int | str) -> dict[str, Any]:
    """Return what must be the same for a checkpoint to fit: the settings that shape the training, and `facts`."""
    values = dataclasses.asdict(settings)
    return {name: str(value) for name, value in values.items() if name not in FREE} | facts
