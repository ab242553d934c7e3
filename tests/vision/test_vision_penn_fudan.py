from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmentation.job import Folders, JobError
from segmentation.penn_fudan import MASKS, PICTURES, read_folder, read_parts, split
from segmentation.shapes import main, write_shapes


@pytest.fixture
def folder(shapes: Path, tmp_path: Path) -> Path:
    """A copy of the shapes that a test may damage."""
    return Path(shutil.copytree(shapes, tmp_path / "channel"))


def first(folder: Path, kind: str) -> Path:
    return min((folder / kind).iterdir())


def test_the_same_seed_draws_the_same_pictures(shapes: Path, tmp_path: Path) -> None:
    main([str(tmp_path), "--pictures", "8", "--size", "64", "--seed", "5"])
    files = sorted(path.relative_to(shapes) for path in shapes.rglob("*.png"))
    assert len(files) == 16
    assert [name for name in files if (shapes / name).read_bytes() != (tmp_path / name).read_bytes()] == []


def test_another_seed_draws_others(shapes: Path, tmp_path: Path) -> None:
    other = write_shapes(tmp_path, pictures=1, size=64, seed=6)
    assert first(other, PICTURES).read_bytes() != first(shapes, PICTURES).read_bytes()


def test_every_object_has_a_mask_of_its_own(shapes: Path) -> None:
    for example in read_folder(shapes):
        masks = example.objects()
        assert masks.shape[1:] == example.pixels().shape[:2]
        assert 1 <= len(masks) <= 4
        assert masks.any(axis=(1, 2)).all()
        assert masks.sum(axis=0).max() == 1


def test_a_picture_may_have_no_object(folder: Path) -> None:
    Image.new("L", (64, 64)).save(first(folder, MASKS))
    assert read_folder(folder)[0].objects().shape == (0, 64, 64)


def test_more_than_255_objects_fit_into_a_mask_of_16_bits(folder: Path) -> None:
    numbers = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) // 8
    Image.fromarray(numbers).save(first(folder, MASKS))
    assert len(read_folder(folder)[0].objects()) == 511


def test_the_archive_may_be_unpacked_one_level_below(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    folder.rename(tmp_path / "outer" / "PennFudanPed")
    assert len(read_folder(tmp_path / "outer")) == 8


def test_a_channel_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="has no folder PNGImages"):
        read_folder(tmp_path)


def damage_picture(folder: Path) -> None:
    first(folder, PICTURES).write_bytes(b"\x89PNG\r\n\x1a\nnot one")


def remove_mask(folder: Path) -> None:
    first(folder, MASKS).unlink()


def shrink_mask(folder: Path) -> None:
    Image.new("L", (64, 32)).save(first(folder, MASKS))


def colour_mask(folder: Path) -> None:
    Image.new("RGB", (64, 64)).save(first(folder, MASKS))


def remove_pictures(folder: Path) -> None:
    for path in (folder / PICTURES).iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (damage_picture, "PNGImages/shapes00000.png: it cannot be decoded"),
        (remove_mask, "shapes00000.png has no mask PedMasks/shapes00000_mask.png"),
        (shrink_mask, "shapes00000.png has 64 x 64 pixels, its mask 64 x 32"),
        (colour_mask, "PedMasks/shapes00000_mask.png: it has colours"),
        (remove_pictures, "has no .png file in PNGImages"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_file_that_cannot_be_used_is_named(folder: Path, spoil: Callable[[Path], None], reason: str) -> None:
    spoil(folder)
    with pytest.raises(JobError, match=reason):
        read_folder(folder)


def test_all_files_that_cannot_be_used_are_counted(folder: Path) -> None:
    for path in (folder / MASKS).iterdir():
        path.unlink()
    with pytest.raises(JobError, match="; and 3 more"):
        read_folder(folder)


def test_no_picture_stands_in_both_parts_not_even_as_a_copy(folder: Path) -> None:
    picture, mask = first(folder, PICTURES), first(folder, MASKS)
    for number in range(4):
        shutil.copy(picture, folder / PICTURES / f"copy{number}.png")
        shutil.copy(mask, folder / MASKS / f"copy{number}_mask.png")
    for seed in range(8):
        parts = split(read_folder(folder), share=0.3, seed=seed)
        train, validation = ({one.picture.read_bytes() for one in part} for part in (parts.train, parts.validation))
        assert not train & validation
        assert len(parts.train) + len(parts.validation) == 12


def test_the_same_seed_sets_the_same_pictures_aside(shapes: Path) -> None:
    examples = read_folder(shapes)
    assert split(examples, share=0.25, seed=1) == split(examples, share=0.25, seed=1)
    assert len(split(examples, share=0.25, seed=1).validation) == 2


def test_a_single_picture_cannot_be_split(shapes: Path) -> None:
    with pytest.raises(JobError, match="1 distinct pictures; at least 2"):
        split(read_folder(shapes)[:1], share=0.5, seed=1)


def test_validation_that_stands_in_train_is_refused(job: Callable[..., Folders], shapes: Path) -> None:
    folders = job(channels={"train": shapes, "validation": shapes})
    with pytest.raises(JobError, match="8 of 8 pictures of validation also stand in train"):
        read_parts(folders, validation_share=0.2, seed=1)


@pytest.mark.parametrize("names", [("train",), ("validation",), ("training", "validation"), ("other",)])
def test_other_channels_are_refused(job: Callable[..., Folders], shapes: Path, names: tuple[str, ...]) -> None:
    folders = job(channels=dict.fromkeys(names, shapes))
    with pytest.raises(JobError, match="it needs either train and validation, or training"):
        read_parts(folders, validation_share=0.2, seed=1)
