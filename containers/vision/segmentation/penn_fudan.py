"""Pictures with masks in the layout of the Penn-Fudan data set: PNGImages/NAME.png and PedMasks/NAME_mask.png."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segmentation.job import Folders, JobError
from segmentation.pictures import PictureError, read_mask, read_pixels, read_size

PICTURES = "PNGImages"
MASKS = "PedMasks"
SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Example:
    """A picture and the mask with the objects in it."""

    picture: Path
    mask: Path

    def pixels(self) -> NDArray[np.uint8]:
        """Return the picture as height x width x 3."""
        return read_pixels(self.picture)

    def objects(self) -> NDArray[np.bool_]:
        """Return one mask for each object: objects x height x width."""
        numbers = read_mask(self.mask)
        masks: NDArray[np.bool_] = np.unique(numbers[numbers != 0])[:, None, None] == numbers
        return masks


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a model learns from, and what it is judged by."""

    train: Sequence[Example]
    validation: Sequence[Example]


def read_parts(folders: Folders, *, validation_share: float, seed: int, checked: bool = False) -> Parts:
    """Read the channels: `train` and `validation`, or `training` alone, of which a share is set aside by chance.

    Every file is decoded, so that a bad one does not end the training after hours, unless somebody has `checked` them.
    """
    train, validation = folders.channel("train"), folders.channel("validation")
    whole = folders.channel("training")
    if train and validation and not whole:
        parts = Parts(train=read_folder(train, checked=checked), validation=read_folder(validation, checked=checked))
        _refuse_overlap(parts)
        return parts
    if whole and not train and not validation:
        return split(read_folder(whole, checked=checked), share=validation_share, seed=seed)
    present = [name for name in ("train", "training", "validation") if folders.channel(name)]
    msg = f"the job has the channels {', '.join(present) or 'none'}; it needs either train and validation, or training"
    raise JobError(msg)


def read_folder(folder: Path, *, checked: bool = False) -> list[Example]:
    """Find the pictures of a channel, each with its mask; everything that is wrong with them is named in one error."""
    root = next((one for one in (folder, *sorted(folder.iterdir())) if (one / PICTURES).is_dir()), None)
    if root is None:
        msg = f"channel {folder.name} has no folder {PICTURES}, at its top or one level below"
        raise JobError(msg)
    examples = [
        Example(picture=picture, mask=root / MASKS / f"{picture.stem}_mask.png")
        for picture in sorted((root / PICTURES).glob("*.png"))
    ]
    if not examples:
        msg = f"channel {folder.name} has no .png file in {PICTURES}"
        raise JobError(msg)
    errors = [] if checked else [error for error in map(_error, examples) if error]
    if errors:
        more = f"; and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
        msg = f"channel {folder.name}: {'; '.join(errors[:SHOWN])}{more}"
        raise JobError(msg)
    return examples


def _error(example: Example) -> str | None:
    if not example.mask.is_file():
        return f"{example.picture.name} has no mask {MASKS}/{example.mask.name}"
    for path in (example.picture, example.mask):
        try:
            _ = read_mask(path) if path == example.mask else read_pixels(path)
        except PictureError as error:
            return f"{path.parent.name}/{path.name}: {error}"
    sizes = read_size(example.picture), read_size(example.mask)
    if sizes[0] != sizes[1]:
        return f"{example.picture.name} has {_times(sizes[0])} pixels, its mask {_times(sizes[1])}"
    return None


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def split(examples: Sequence[Example], *, share: float, seed: int) -> Parts:
    """Set a share of the pictures aside; copies of one picture stay together, so that none stands in both parts."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(_content(example), []).append(example)
    distinct = list(groups.values())
    if len(distinct) < 2:  # noqa: PLR2004 - one for each part
        msg = f"the data have {len(distinct)} distinct pictures; at least 2 are needed, to learn from and to judge by"
        raise JobError(msg)
    order = np.random.default_rng(seed).permutation(len(distinct))
    aside = min(max(1, round(share * len(distinct))), len(distinct) - 1)
    validation, train = ([distinct[index] for index in some] for some in (order[:aside], order[aside:]))
    return Parts(train=_in_order(train), validation=_in_order(validation))


def _in_order(groups: Sequence[Sequence[Example]]) -> list[Example]:
    return sorted((example for group in groups for example in group), key=lambda one: one.picture.name)


def _refuse_overlap(parts: Parts) -> None:
    known = {_content(example): example for example in parts.train}
    pairs = [(known[_content(one)], one) for one in parts.validation if _content(one) in known]
    if pairs:
        first, second = pairs[0][0].picture.name, pairs[0][1].picture.name
        msg = (
            f"{len(pairs)} of {len(parts.validation)} pictures of validation also stand in train "
            f"(train {first} is validation {second}): remove them from one"
        )
        raise JobError(msg)


def _content(example: Example) -> str:
    return hashlib.sha256(example.picture.read_bytes()).hexdigest()
