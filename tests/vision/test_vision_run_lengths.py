from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from segmentation.run_length import RunLengths, decode, encode, intersections_over_unions

SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))
MASKS = SIDES.flatmap(lambda shape: arrays.arrays(bool, shape))
PAIRS = SIDES.flatmap(lambda shape: st.tuples(arrays.arrays(bool, shape), arrays.arrays(bool, shape)))


def test_runs_go_down_the_columns_and_begin_with_the_background() -> None:
    mask = np.array([[0, 1, 1], [0, 0, 1]], dtype=bool)
    assert encode(mask) == RunLengths(2, 3, (2, 1, 1, 2))
    assert encode(mask).document() == {"size": [2, 3], "counts": [2, 1, 1, 2]}


def test_a_mask_that_begins_with_the_foreground_begins_with_no_background() -> None:
    assert encode(np.ones((2, 2), dtype=bool)).counts == (0, 4)


@given(MASKS)
def test_a_mask_comes_back_as_it_was(mask: NDArray[np.bool_]) -> None:
    assert np.array_equal(decode(encode(mask)), mask)
    assert encode(mask).area == mask.sum()


@given(PAIRS)
def test_the_overlap_is_that_of_the_pixels(pair: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> None:
    one, other = pair
    union = (one | other).sum()
    expected = (one & other).sum() / union if union else 0
    assert intersections_over_unions([encode(one)], [encode(other)])[0, 0] == pytest.approx(expected, abs=1e-12)


def test_masks_of_different_pictures_are_not_compared() -> None:
    with pytest.raises(ValueError, match="2 x 2 cannot overlap one of 2 x 3"):
        intersections_over_unions([RunLengths(2, 2, (4,))], [RunLengths(2, 3, (6,))])


def test_counts_that_do_not_fill_the_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 3, not to 2 x 2"):
        decode(RunLengths(2, 2, (3,)))
