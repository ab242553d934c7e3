"""Generated pictures of shapes in the layout of Penn-Fudan, the same for the same seed: data for tests and measuring.

python -m segmentation.shapes FOLDER --pictures 100 --size 256 --seed 1
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from segmentation.penn_fudan import MASKS, PICTURES

MOST_OBJECTS = 4
LEAST_VISIBLE = 0.5
"""An object of which less can be seen behind the others is left out."""


def write_shapes(folder: Path, *, pictures: int, size: int, seed: int) -> Path:
    """Write that many pictures, each of ellipses, boxes and triangles before noise, with their masks."""
    for name in (PICTURES, MASKS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        pixels, mask = draw(size=size, generator=np.random.default_rng([seed, number]))
        Image.fromarray(pixels).save(folder / PICTURES / f"shapes{number:05d}.png")
        Image.fromarray(mask).save(folder / MASKS / f"shapes{number:05d}_mask.png")
    return folder


def draw(*, size: int, generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return one picture and its mask."""
    background = generator.integers(0, 100, size=3)
    pixels = np.clip(background + generator.normal(0, 12, size=(size, size, 3)), 0, 255)
    mask = np.zeros((size, size), dtype=np.uint8)
    for _ in range(generator.integers(1, MOST_OBJECTS + 1)):
        shape = _shape(size, generator)
        hidden = [np.sum(shape & (mask == each)) / np.sum(mask == each) for each in np.unique(mask[mask != 0])]
        if not shape.any() or any(share > 1 - LEAST_VISIBLE for share in hidden):
            continue
        colour = generator.integers(120, 256, size=3)
        pixels[shape] = np.clip(colour + generator.normal(0, 6, size=(int(shape.sum()), 3)), 0, 255)
        mask[shape] = mask.max() + 1
    return pixels.astype(np.uint8), mask


def _shape(size: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    canvas = Image.new("1", (size, size))
    pen = ImageDraw.Draw(canvas)
    width, height = generator.integers(size // 6, size // 2, size=2).tolist()
    left, top = (int(generator.integers(0, size - extent)) for extent in (width, height))
    box = (left, top, left + width, top + height)
    match generator.integers(3):
        case 0:
            pen.ellipse(box, fill=1)
        case 1:
            pen.rectangle(box, fill=1)
        case _:
            pen.polygon([(left, top + height), (left + width, top + height), (left + width // 2, top)], fill=1)
    return np.array(canvas)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m segmentation.shapes", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    write_shapes(given.folder, pictures=given.pictures, size=given.size, seed=given.seed)


if __name__ == "__main__":
    main()
