"""How well a network finds the objects of pictures that it has not seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from torch import nn

from segmentation.average_precision import ImageMatches, Objects, match, summary
from segmentation.detection import detect
from segmentation.penn_fudan import Example
from segmentation.run_length import encode
from segmentation.stopping import Stop
from segmentation.world import World


def evaluate(
    network: nn.Module, examples: Sequence[Example], *, world: World, stop: Stop, seed: int
) -> dict[str, Any] | None:
    """Judge the network by the pictures, which the processes share out; None where the job was stopped meanwhile."""
    network.eval()
    own: list[tuple[int, ImageMatches]] = []
    seconds = 0.0
    for index in range(world.rank, len(examples), world.size):
        if stop.requested():
            break
        pixels = examples[index].pixels()
        begin = time.perf_counter()
        found = detect(network, pixels)
        seconds += time.perf_counter() - begin
        own.append((index, match(found=found, truth=_truth(examples[index]))))
    everyone = sorted((each for part in world.gather(own) for each in part), key=lambda pair: pair[0])
    (spent,) = world.total(seconds)
    if len(everyone) < len(examples):
        return None
    images = [matches for _, matches in everyone]
    return {
        "version": 1,
        "task": "instance_segmentation",
        "images": len(images),
        "objects": sum(one.objects for image in images for one in image.values()),
        "instance_segmentation_metrics": summary(images, seed=seed),
        "seconds_per_image": spent / len(images),
    }


def _truth(example: Example) -> Objects:
    masks = [encode(mask) for mask in example.objects()]
    return Objects(labels=[1] * len(masks), masks=masks)
