# ruff: noqa: E402 - the imports below need PyTorch
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.vision.needs_torch import skip_without_torch

skip_without_torch()

import torch
import torchvision

from segmentation.detection import detect, to_tensor
from segmentation.hyperparameters import Backbone
from segmentation.job import JobError
from segmentation.model_files import load_model, read_pretrained, save_model
from segmentation.network import Architecture, Norm, build, norm_of, start_from
from segmentation.run_length import decode

ARCHITECTURE = Architecture(
    backbone=Backbone.RESNET18,
    norm=Norm.GROUP,
    categories=("shape",),
    image_size=64,
    minimum_score=0.0,
    maximum_detections=5,
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(1)
    return build(ARCHITECTURE).eval()


@pytest.mark.parametrize("size", [(64, 64), (40, 90), (1, 1), (1, 100)])
def test_what_is_found_is_what_torchvision_finds(network: Any, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, size=(*size, 3)).astype(np.uint8)
    found = detect(network, pixels)
    with torch.inference_mode():
        (expected,) = network([to_tensor(pixels)])
    assert found.scores == expected["scores"].tolist()
    assert found.labels == expected["labels"].tolist()
    assert np.allclose(np.reshape(found.boxes, (-1, 4)), expected["boxes"])
    masks = [decode(mask) for mask in found.masks]
    assert all(np.array_equal(one, other) for one, other in zip(masks, expected["masks"][:, 0] > 0.5, strict=True))


def test_a_network_finds_something_to_compare(network: Any) -> None:
    assert len(detect(network, np.zeros((64, 64, 3), dtype=np.uint8)).masks) == 5


def test_a_model_comes_back_from_its_files_and_answers_the_same(network: Any, tmp_path: Path) -> None:
    save_model(tmp_path, network, ARCHITECTURE)
    again, architecture = load_model(tmp_path, CPU)
    assert architecture == ARCHITECTURE
    pixels = np.full((50, 60, 3), 99, dtype=np.uint8)
    assert detect(again, pixels) == detect(network, pixels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.pt"]


def test_weights_of_another_network_are_no_model(network: Any, tmp_path: Path) -> None:
    save_model(tmp_path, network, replace(ARCHITECTURE, backbone=Backbone.RESNET34))
    with pytest.raises(JobError, match="is not one that train has written"):
        load_model(tmp_path, CPU)


class Exploit:
    def __reduce__(self) -> Any:
        return print, ("code of a stranger runs",)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x80\x04."], ids=["empty", "zip", "pickle"])
def test_a_damaged_file_of_weights_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(JobError, match=r"weights.pth cannot be read as weights"):
        read_pretrained(tmp_path)


def test_weights_that_would_run_code_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weight": Exploit()}, tmp_path / "weights.pth")
    with pytest.raises(JobError, match="cannot be read as weights"):
        read_pretrained(tmp_path)
    assert capsys.readouterr().out == ""


def test_a_classifier_of_the_same_backbone_starts_the_training(tmp_path: Path) -> None:
    classifier = torchvision.models.resnet18(weights=None)
    torch.save(classifier.state_dict(), tmp_path / "resnet18.pth")
    weights = read_pretrained(tmp_path)
    assert norm_of(weights) is Norm.FROZEN_BATCH
    network = build(replace(ARCHITECTURE, norm=Norm.FROZEN_BATCH))
    assert start_from(network, weights) == sum("num_batches" not in name and "fc." not in name for name in weights)
    assert torch.equal(network.state_dict()["backbone.body.conv1.weight"], weights["conv1.weight"])


def test_a_detector_of_other_categories_gives_all_but_its_last_layers(network: Any) -> None:
    weights = {name: each + 1 for name, each in network.state_dict().items()}
    other = build(replace(ARCHITECTURE, categories=("one", "two")))
    # The classes, the boxes of each class, and the masks of each class: weights and biases.
    assert start_from(other, weights) == len(weights) - 6


def test_weights_of_another_backbone_are_refused() -> None:
    weights = torchvision.models.resnet18(weights=None).state_dict()
    network = build(replace(ARCHITECTURE, backbone=Backbone.RESNET50, norm=Norm.FROZEN_BATCH))
    with pytest.raises(JobError, match=r"do not fit the backbone: .* set the hyperparameter backbone"):
        start_from(network, weights)
