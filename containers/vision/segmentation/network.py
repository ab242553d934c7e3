"""The Mask R-CNN of torchvision, built without a download."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from segmentation.hyperparameters import Backbone
from segmentation.job import JobError

LONG_SIDE = 5 / 3
"""The longest side over the shortest, to which pictures are scaled: 1333 to 800, as in the paper."""
LAYERS = 5


class Norm(StrEnum):
    """How the backbone normalizes.

    Weights from elsewhere come with batch statistics, which stay as they are. From nothing, batches of two pictures
    give no statistics worth the name: groups of channels are normalized instead.
    """

    FROZEN_BATCH = "frozen_batch"
    GROUP = "group"


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What one must know to build a network that the weights fit."""

    backbone: Backbone
    norm: Norm
    categories: tuple[str, ...]
    image_size: int
    minimum_score: float
    maximum_detections: int

    def document(self) -> dict[str, Any]:
        """Return the architecture as it is stored beside the weights."""
        return dataclasses.asdict(self)


def read_architecture(document: Mapping[str, Any]) -> Architecture:
    """Return the architecture of a stored document."""
    return Architecture(
        backbone=Backbone(document["backbone"]),
        norm=Norm(document["norm"]),
        categories=tuple(document["categories"]),
        image_size=int(document["image_size"]),
        minimum_score=float(document["minimum_score"]),
        maximum_detections=int(document["maximum_detections"]),
    )


def build(architecture: Architecture, *, trainable_layers: int = LAYERS) -> nn.Module:
    """Build the network with weights by chance."""
    norm = FrozenBatchNorm2d if architecture.norm is Norm.FROZEN_BATCH else partial(nn.GroupNorm, 32)
    backbone = resnet_fpn_backbone(
        backbone_name=architecture.backbone.value,
        weights=None,
        norm_layer=norm,
        trainable_layers=trainable_layers,
    )
    network: nn.Module = MaskRCNN(
        backbone,
        num_classes=len(architecture.categories) + 1,  # and the background
        min_size=architecture.image_size,
        max_size=round(architecture.image_size * LONG_SIDE),
        box_score_thresh=architecture.minimum_score,
        box_detections_per_img=architecture.maximum_detections,
    )
    return network


def norm_of(weights: Mapping[str, Tensor]) -> Norm:
    """Tell which normalization stored weights were made for."""
    return Norm.FROZEN_BATCH if any(name.endswith("running_mean") for name in weights) else Norm.GROUP


def start_from(network: nn.Module, weights: Mapping[str, Tensor]) -> int:
    """Put stored weights into the network and return how many fitted.

    Taken are those of a whole Mask R-CNN, or of a classifier with the same backbone. The layers that depend on the
    number of categories are left by chance where their sizes differ; the backbone must fit completely.
    """
    own = network.state_dict()
    prefix = "" if any(name.startswith("backbone.") for name in weights) else "backbone.body."
    named = {prefix + name: tensor for name, tensor in weights.items()}
    fitting = {name: each for name, each in named.items() if name not in own or own[name].shape == each.shape}
    missing = set(network.load_state_dict(fitting, strict=False).missing_keys)
    lacking = sorted(name for name in missing if name.startswith("backbone.body."))
    if lacking:
        msg = (
            f"the weights in channel pretrained do not fit the backbone: {len(lacking)} of its tensors are missing "
            f"or of another size (first: {lacking[0]}); set the hyperparameter backbone to what they were made with"
        )
        raise JobError(msg)
    return len(own) - len(missing)
