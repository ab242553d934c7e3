"""What a network finds in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.transform import resize_boxes

from segmentation.average_precision import Objects
from segmentation.run_length import RunLengths, encode

SURE = 0.5


@dataclass(frozen=True, kw_only=True)
class Detections(Objects):
    """The objects found, surest first, with their boxes as left, top, right, bottom in pixels."""

    boxes: Sequence[Sequence[float]]


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Return pixels of height x width x 3 as the network wants them."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float().div(255)


def detect(network: Any, pixels: NDArray[np.uint8]) -> Detections:
    """Find the objects of a picture.

    These are the steps of torchvision's own forward pass, but one mask at a time is spread over the picture: for a
    hundred objects in sixteen megapixels, all at once would take six gigabytes.
    """
    device = next(network.parameters()).device
    size = (pixels.shape[0], pixels.shape[1])
    with torch.inference_mode():
        scaled, _ = network.transform([to_tensor(pixels).to(device)])
        features = network.backbone(scaled.tensors)
        proposals, _ = network.rpn(scaled, features)
        (found,), _ = network.roi_heads(features, proposals, scaled.image_sizes)
        boxes = resize_boxes(found["boxes"], scaled.image_sizes[0], size).cpu()
        small = found["masks"].float().cpu()
        masks = [_spread(small[index : index + 1], boxes[index : index + 1], size) for index in range(len(boxes))]
    return Detections(
        labels=found["labels"].tolist(),
        scores=found["scores"].float().tolist(),
        boxes=boxes.float().tolist(),
        masks=masks,
    )


def _spread(mask: Tensor, box: Tensor, size: tuple[int, int]) -> RunLengths:
    return encode((paste_masks_in_image(mask, box, size)[0, 0] > SURE).numpy())


def warm_up(network: nn.Module) -> None:
    """Answer once, so that the first caller does not wait for what is set up on first use."""
    detect(network, np.zeros((64, 64, 3), dtype=np.uint8))
