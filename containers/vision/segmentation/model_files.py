"""The model as files: the weights, and a document that says what network they belong to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segmentation.job import JobError, read_json, write_json
from segmentation.network import Architecture, build, read_architecture

WEIGHTS = "model.pt"
DOCUMENT = "model.json"


def save_model(folder: Path, network: nn.Module, architecture: Architecture) -> None:
    """Write the model."""
    write_tensors(folder / WEIGHTS, network.state_dict())
    versions = {"torch": torch.__version__}
    write_json(folder / DOCUMENT, {"version": 1, "architecture": architecture.document(), "made_with": versions})


def load_model(folder: Path, device: torch.device) -> tuple[nn.Module, Architecture]:
    """Read the model, ready to answer."""
    document = read_json(folder / DOCUMENT)
    try:
        architecture = read_architecture(document["architecture"])
        network = build(architecture)
        network.load_state_dict(read_tensors(folder / WEIGHTS))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        msg = f"the model in {folder} is not one that train has written: {str(error)[:300]}"
        raise JobError(msg) from error
    return network.to(device).eval(), architecture


def write_tensors(path: Path, document: Mapping[str, Any]) -> None:
    """Write tensors, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    torch.save(document, beside)
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)


def read_tensors(path: Path) -> Any:
    """Read tensors and plain values; a file that would run code is refused."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        msg = f"there is no {path}"
        raise JobError(msg) from error
    except Exception as error:  # a damaged file makes pickle, zipfile and torch raise a dozen kinds
        first = (str(error) or type(error).__name__).splitlines()[0]
        msg = f"{path} cannot be read as weights: {first[:200]}"
        raise JobError(msg) from error


def read_pretrained(folder: Path) -> Mapping[str, Tensor]:
    """Read the one file of weights of channel `pretrained`."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".pt", ".pth"})
    if len(files) != 1:
        msg = f"channel pretrained holds {len(files)} files that end in .pt or .pth; it must hold 1"
        raise JobError(msg)
    document = read_tensors(files[0])
    if not isinstance(document, dict) or not all(isinstance(each, Tensor) for each in document.values()):
        msg = f"{files[0].name} holds no named tensors (what torch.save(network.state_dict(), ...) writes)"
        raise JobError(msg)
    return document
