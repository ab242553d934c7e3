"""Image files as pixels: what a stranger sends and what a channel holds."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Image.MAX_IMAGE_PIXELS = None  # the size is checked here, before a pixel is decoded
FORMATS: Final = {"image/png": "PNG", "image/jpeg": "JPEG"}
MAXIMUM_PIXELS: Final = 4096 * 4096
MAXIMUM_ASPECT: Final = 100
"""The long side over the short one; a thinner picture would have no pixels left when it is scaled for the network."""
MASK_MODES: Final = ("1", "L", "P", "I", "I;16")


class PictureError(ValueError):
    """The reason why bytes are no picture that can be used."""


class PictureTooLargeError(PictureError):
    """A picture of more pixels than are decoded."""


def read_pixels(data: bytes | Path, *, formats: tuple[str, ...] = ("PNG", "JPEG")) -> NDArray[np.uint8]:
    """Return the pixels of a picture as height x width x 3; the stored grid, whatever EXIF says of its orientation."""
    image = _load(data, formats)
    if image.mode.startswith("I"):  # 16 bits of grey, which a conversion would cut off instead of scaling
        wide = np.asarray(image, dtype=np.int64)
        grey = (wide >> 8 if wide.max(initial=0) > 255 else wide).clip(0, 255).astype(np.uint8)  # noqa: PLR2004 - a byte
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.array(image.convert("RGB"))


def read_mask(path: Path) -> NDArray[np.int64]:
    """Return the numbers of a mask: 0 for the background, each other number for one object."""
    image = _load(path, ("PNG",))
    if image.mode not in MASK_MODES:
        msg = f"it has colours (mode {image.mode}); a mask has one number for each pixel"
        raise PictureError(msg)
    return np.array(image, dtype=np.int64)


def read_size(path: Path) -> tuple[int, int]:
    """Return width and height from the header alone."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            width, height = _checked(image).size
            return width, height
    except PictureError:
        raise
    except Exception as error:
        raise PictureError(_reason(error)) from error


def _load(data: bytes | Path, formats: tuple[str, ...]) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data, formats=formats) as image:
            _checked(image).load()
            return image
    except PictureError:
        raise
    except Exception as error:  # decoders raise a dozen kinds for bytes that are no picture
        raise PictureError(_reason(error)) from error


def _checked(image: Image.Image) -> Any:
    width, height = image.size
    if width * height > MAXIMUM_PIXELS:
        msg = f"the picture has {width} x {height} pixels, at most {MAXIMUM_PIXELS} are decoded"
        raise PictureTooLargeError(msg)
    if not width * height:
        msg = "the picture has no pixels"
        raise PictureError(msg)
    if max(width, height) > MAXIMUM_ASPECT * min(width, height):
        msg = f"the picture has {width} x {height} pixels, the long side may be {MAXIMUM_ASPECT} times the short one"
        raise PictureError(msg)
    return image


def _reason(error: Exception) -> str:
    text = "" if "BytesIO object" in str(error) else f" ({str(error)[:120]})"
    return f"it cannot be decoded{text}"
