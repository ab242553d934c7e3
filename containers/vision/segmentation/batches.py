"""The pictures in the order in which a process sees them, which seed and epoch alone decide."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from segmentation.detection import to_tensor
from segmentation.hyperparameters import Hyperparameters
from segmentation.penn_fudan import Example

Target = dict[str, Tensor]


class Pictures:
    """The pictures of one epoch with their objects, some of them mirrored."""

    def __init__(self, examples: Sequence[Example], *, flip: float, seed: int, epoch: int) -> None:
        self._examples = examples
        self._flip = flip
        self._seeds = (seed, epoch)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._examples)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        """Return a picture and its objects."""
        pixels, objects = self._examples[index].pixels(), self._examples[index].objects()
        if np.random.default_rng([*self._seeds, index]).random() < self._flip:
            pixels, objects = pixels[:, ::-1], objects[:, :, ::-1]
        return to_tensor(pixels), _target(torch.from_numpy(np.ascontiguousarray(objects)))


def _target(masks: Tensor) -> Target:
    return {
        "boxes": torch.stack([_box(mask) for mask in masks]) if len(masks) else torch.zeros((0, 4)),
        "labels": torch.ones(len(masks), dtype=torch.int64),
        "masks": masks.to(torch.uint8),
    }


def _box(mask: Tensor) -> Tensor:
    """Return left, top, right, bottom; the right and lower edges lie behind the last pixel, so that no box is empty."""
    rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return torch.tensor([float(edge) for edge in edges])


def order(count: int, *, batch_size: int, seed: int, epoch: int, rank: int, size: int) -> list[list[int]]:
    """Return the batches of one process; every process has as many, for which a few pictures come twice."""
    indices = np.random.default_rng([seed, epoch]).permutation(count)
    own = np.resize(indices, -(-count // size) * size)[rank::size].tolist()
    return [own[start : start + batch_size] for start in range(0, len(own), batch_size)]


def loader(pictures: Pictures, batches: Sequence[Sequence[int]], settings: Hyperparameters) -> Any:
    """Return what yields the batches as lists of pictures and lists of objects."""
    return DataLoader(
        pictures,  # type: ignore[arg-type,unused-ignore] # a data set is what has these two methods
        batch_sampler=batches,  # type: ignore[arg-type,unused-ignore]
        num_workers=min(settings.workers, len(batches)),
        collate_fn=_side_by_side,
        worker_init_fn=_listen_to_signals,
    )


def _side_by_side(examples: Sequence[tuple[Tensor, Target]]) -> tuple[list[Tensor], list[Target]]:
    return [picture for picture, _ in examples], [target for _, target in examples]


def _listen_to_signals(_worker: int) -> None:
    """End on SIGTERM, for which the process that forked the worker has another use."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
