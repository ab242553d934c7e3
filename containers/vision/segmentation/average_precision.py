"""Mask average precision as COCO defines it, in numpy.

For each category and each overlap from .50 to .95, detections are matched to objects from the surest to the least
sure, each to the free object that it overlaps most; precision, made to fall with recall, is averaged over 101 recalls.
At most 100 detections of an image count. There are no crowds and no size classes: the data have none.

It is our own because it is short, runs where there is no PyTorch and no compiler, and leaves the matches of each image,
from which the spread of the metrics is drawn. The tests hold it to cases worked out by hand and to pycocotools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segmentation.run_length import RunLengths, intersections_over_unions

OVERLAPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MAXIMUM_DETECTIONS = 100
ROUNDS = 200
METRICS = ("mask_ap", "mask_ap_50", "mask_ap_75")


@dataclass(frozen=True, kw_only=True)
class Objects:
    """The objects of one image: what stands in the truth, or, with scores, what a model has found."""

    labels: Sequence[int]
    masks: Sequence[RunLengths]
    scores: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Which detections of one category hit an object of one image, surest first."""

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    """Overlaps x detections."""
    objects: int


ImageMatches = Mapping[int, Matches]


def match(*, found: Objects, truth: Objects) -> ImageMatches:
    """Match the detections of one image to its objects, category by category."""
    answer = {}
    for label in sorted({*found.labels, *truth.labels}):
        chosen = [index for index, each in enumerate(found.labels) if each == label]
        scores = np.array([found.scores[index] for index in chosen], dtype=float)
        order = np.argsort(-scores, kind="stable")[:MAXIMUM_DETECTIONS]
        masks = [found.masks[chosen[index]] for index in order]
        objects = [mask for mask, each in zip(truth.masks, truth.labels, strict=True) if each == label]
        overlaps = intersections_over_unions(masks, objects)
        hits = np.array([_hits(overlaps, minimum) for minimum in OVERLAPS], dtype=bool)
        answer[label] = Matches(scores=scores[order], hits=hits.reshape(len(OVERLAPS), -1), objects=len(objects))
    return answer


def _hits(overlaps: NDArray[np.float64], minimum: float) -> list[bool]:
    free = np.ones(overlaps.shape[1], dtype=bool)
    hits = []
    for row in overlaps:
        candidates = np.where(free, row, -1.0)
        # Of equal overlaps the last one, as in COCO's own code.
        best = len(candidates) - 1 - int(np.argmax(candidates[::-1])) if len(candidates) else -1
        hit = best >= 0 and candidates[best] >= min(minimum, 1 - 1e-10)
        if hit:
            free[best] = False
        hits.append(bool(hit))
    return hits


def average_precisions(images: Sequence[ImageMatches]) -> dict[str, float] | None:
    """Return the mask average precision over all overlaps, at .50 and at .75; None where no image has an object."""
    labels = sorted({label for image in images for label, one in image.items() if one.objects})
    if not labels:
        return None
    by_overlap = np.mean(
        [_of_category([image[label] for image in images if label in image]) for label in labels], axis=0
    )
    return dict(zip(METRICS, (float(by_overlap.mean()), float(by_overlap[0]), float(by_overlap[5])), strict=True))


def _of_category(images: Sequence[Matches]) -> NDArray[np.float64]:
    objects = sum(one.objects for one in images)
    scores = np.concatenate([one.scores for one in images])
    hits = np.concatenate([one.hits for one in images], axis=1)[:, np.argsort(-scores, kind="stable")]
    if not scores.size:
        return np.zeros(len(OVERLAPS))
    found = np.cumsum(hits, axis=1)
    precision = found / np.arange(1, scores.size + 1)
    falling = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.concatenate([falling, np.zeros((len(OVERLAPS), 1))], axis=1)
    at = [np.searchsorted(row / objects, RECALLS, side="left") for row in found]
    return np.array([row[indices].mean() for row, indices in zip(padded, at, strict=True)])


def summary(images: Sequence[ImageMatches], *, seed: int) -> dict[str, Any]:
    """Return each metric with its spread, from drawing the images again and again with replacement."""
    values = average_precisions(images)
    if values is None:
        return {}
    generator = np.random.default_rng(seed)
    drawn = [
        average_precisions([images[index] for index in generator.integers(len(images), size=len(images))])
        for _ in range(ROUNDS)
    ]
    spread = {name: np.array([one[name] for one in drawn if one]) for name in METRICS}
    return {
        name: {
            "value": value,
            "standard_deviation": float(spread[name].std()),
            "low": float(np.quantile(spread[name], 0.025)),
            "high": float(np.quantile(spread[name], 0.975)),
        }
        for name, value in values.items()
    }
