"""The division of the rows into training, validation and test rows.

Each row is placed by a keyed hash of its features, separately for each class. So the split

- is stratified: every part has the share of each class that the whole file has, to one row (a label that is a number
  has no classes: the hash alone divides, and classes made of ranges would shift while data is added);
- depends on seed and content alone, not on the order of the rows, and the rows come out shuffled;
- keeps equal feature rows together: none is learned from in one part and asked for in another;
- is stable while data is added: the parts lie along the hash as test, validation, training, so a row close to a border
  may change between neighbours, but a row that trained the model in service is not in the next run's test rows (that
  would flatter this model when it is compared with its challenger). It holds as long as shares, seed and columns stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from job_settings import Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Rows whose features all equal those of an earlier row."""

    repeated: int
    share: float
    """Repeated rows in relation to all usable rows."""
    contradicting: int
    """Rows that have a twin with another label."""
    lines: Sequence[int]
    """Where the repeated rows start, in the order of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The indices of the rows of each part, in the order in which they are written."""

    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]


def find_duplicates(
    digests: npt.NDArray[np.uint64], labels: npt.NDArray[np.float64], lines: npt.NDArray[np.int64]
) -> Duplicates:
    """Find the rows that repeat the features of an earlier row."""
    if not len(digests):
        return Duplicates(repeated=0, share=0.0, contradicting=0, lines=())
    _, first, group, sizes = np.unique(digests, return_index=True, return_inverse=True, return_counts=True)
    repeated = np.ones(len(digests), dtype=np.bool_)
    repeated[first] = False
    smallest, largest = np.full(len(sizes), np.inf), np.full(len(sizes), -np.inf)
    # Other than minimum and maximum, these pass over labels that are not there.
    np.fmin.at(smallest, group, labels)
    np.fmax.at(largest, group, labels)
    mixed = smallest < largest
    return Duplicates(
        repeated=int(repeated.sum()),
        share=float(repeated.mean()),
        contradicting=int(sizes[mixed].sum()),
        lines=lines[repeated].tolist(),
    )


def divide(
    digests: npt.NDArray[np.uint64], labels: npt.NDArray[np.float64], shares: Shares, *, stratified: bool = True
) -> Parts:
    """Divide the rows with these digests and labels; where `stratified`, a label is the place of a class: 0, 1, ..."""
    _, group, sizes = np.unique(digests, return_inverse=True, return_counts=True)
    group_class = _classes(group, labels.astype(np.int64)) if stratified else np.zeros(len(sizes), dtype=np.int64)
    part_of_group = np.empty(len(sizes), dtype=np.int64)
    for stratum in np.unique(group_class).tolist():
        groups = np.flatnonzero(group_class == stratum)  # np.unique has sorted them by digest
        rows = sizes[groups]
        middle = (np.cumsum(rows) - rows / 2) / rows.sum()
        part_of_group[groups] = np.searchsorted([shares.test, shares.test + shares.validation], middle, side="right")
    order = np.lexsort((labels, digests))
    part = part_of_group[group[order]]
    return Parts(test=order[part == 0], validation=order[part == 1], train=order[part == 2])  # noqa: PLR2004


def _classes(group: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the class of each group of twins: that of most of them, and of equally many the last one."""
    classes = int(labels.max(initial=0)) + 1
    pairs, counts = np.unique(group * classes + labels, return_counts=True)
    order = np.lexsort((pairs, counts, pairs // classes))
    owner = pairs[order] // classes
    last = np.flatnonzero(np.append(owner[1:] != owner[:-1], True)) if len(owner) else order
    found: npt.NDArray[np.int64] = pairs[order][last] % classes
    return found
