"""Masks as run lengths, in COCO's uncompressed form: column by column, beginning with the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RunLengths:
    """A mask of `height` x `width` pixels: background pixels, then foreground pixels, then background, and so on."""

    height: int
    width: int
    counts: tuple[int, ...]

    @property
    def area(self) -> int:
        """The number of foreground pixels."""
        return sum(self.counts[1::2])

    def document(self) -> dict[str, Any]:
        """Return the mask as it stands in an answer: {"size": [height, width], "counts": [...]}."""
        return {"size": [self.height, self.width], "counts": list(self.counts)}


def encode(mask: NDArray[Any]) -> RunLengths:
    """Return the run lengths of a mask of booleans (height x width)."""
    height, width = mask.shape
    flat = np.asarray(mask, dtype=bool).T.ravel()
    if not flat.size:
        return RunLengths(height, width, ())
    bounds = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]))
    counts = np.diff(bounds).tolist()
    return RunLengths(height, width, (0, *counts) if flat[0] else tuple(counts))


def decode(runs: RunLengths) -> NDArray[np.bool_]:
    """Return the mask of run lengths."""
    if any(count < 0 for count in runs.counts) or sum(runs.counts) != runs.height * runs.width:
        msg = f"the counts add up to {sum(runs.counts)}, not to {runs.height} x {runs.width}"
        raise ValueError(msg)
    flat = np.repeat(np.arange(len(runs.counts)) % 2 == 1, runs.counts)
    return np.ascontiguousarray(flat.reshape(runs.width, runs.height).T)


def intersections_over_unions(ones: Sequence[RunLengths], others: Sequence[RunLengths]) -> NDArray[np.float64]:
    """Return the overlap of each of `ones` with each of `others`, without ever making the masks."""
    overlaps = np.zeros((len(ones), len(others)))
    for column, other in enumerate(others):
        ends = np.concatenate(([0], np.cumsum(other.counts)))
        below = np.concatenate(([0], np.cumsum(np.where(np.arange(len(other.counts)) % 2 == 1, other.counts, 0))))
        for row, one in enumerate(ones):
            if (one.height, one.width) != (other.height, other.width):
                msg = f"a mask of {one.height} x {one.width} cannot overlap one of {other.height} x {other.width}"
                raise ValueError(msg)
            # The foreground of `other` up to a pixel is a broken line; over a run of `one` it rises by what both have.
            bounds = np.concatenate(([0], np.cumsum(one.counts)))
            foreground = np.interp(bounds, ends, below)
            common = float(np.sum(np.diff(foreground)[1::2]))
            union = one.area + other.area - common
            overlaps[row, column] = common / union if union else 0.0
    return overlaps
