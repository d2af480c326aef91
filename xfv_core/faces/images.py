"""A photo as everything above takes it: upright RGB pixels, what was done to them, their digest."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from xfv_core.faces import decode
from xfv_core.faces.decode import ImageError

__all__ = ["ImageError", "Photo", "PhotoSource", "limit_pillow", "load_photo"]


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo; `Photo.of` makes one of nearly anything.

    pixels : (H,W,3) uint8 RGB, upright; kept read-only, copied where they were not.
    notes : what was done to it that its owner should know, a sentence each.

    Raises `ImageError` where the pixels are of another type or shape.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_array(self.pixels)
        if self.pixels.flags.writeable or not self.pixels.flags.c_contiguous:
            own = np.array(self.pixels, order="C")
            own.setflags(write=False)
            object.__setattr__(self, "pixels", own)

    @cached_property
    def digest(self) -> str:
        """Hex sha256 of shape and pixels; equal pictures have equal digests."""
        return hashlib.sha256(repr(self.pixels.shape).encode() + self.pixels.data).hexdigest()

    @classmethod
    def of(cls, source: PhotoSource) -> Photo:
        """A photo of an array, a Pillow image, the bytes of a file or its path.

        An array is uint8 RGB of shape (H,W,3). Whatever its kind, a picture is turned as its EXIF
        says, shown on white where it is transparent and reduced to ``decode.LONG_SIDE`` px.
        Raises `ImageError` with a sentence for all that is no photo.
        """
        if isinstance(source, Photo):
            return source
        if isinstance(source, np.ndarray):
            _check_array(source)
            return cls._of_image(Image.fromarray(np.ascontiguousarray(source)))
        if isinstance(source, Image.Image):
            return cls._of_image(source)
        if isinstance(source, decode.FILES):
            return load_photo(source)
        raise ImageError(
            "A photo is given as a path, the bytes of a file, a Pillow image or a uint8 array, "
            f"not as {type(source).__name__}."
        )

    @classmethod
    def _of_image(cls, image: Image.Image) -> Photo:
        decode.check_size(*image.size, decode.MAX_JPEG_PIXELS)
        if image.mode == "F":  # nobody knows what its white is
            raise ImageError("A Pillow image of mode F is no photo; convert it to RGB.")
        try:
            return cls(_pixels(decode.upright(image)), tuple(decode.notes_on(image.size)))
        except Exception as error:  # no such conversion, or a file opened lazily and broken
            raise ImageError(
                f"This Pillow image of mode {image.mode} cannot be read; convert it to RGB."
            ) from error


PhotoSource: TypeAlias = (
    Photo
    | Image.Image
    | NDArray[np.uint8]
    | bytes
    | bytearray
    | memoryview
    | str
    | os.PathLike[str]
)


def load_photo(
    source: bytes | bytearray | memoryview | str | os.PathLike[str], *, dated: bool = False
) -> Photo:
    """Decode a file, given as its bytes or its path; raises `ImageError` (see `decode.decode`)."""
    image, notes = decode.decode(decode.read(source), dated=dated)
    return Photo(_pixels(image), tuple(notes))


def limit_pillow() -> None:
    """For a program that serves strangers: bound what other libraries open through Pillow.

    Pillow then raises above ``decode.MAX_PIXELS``, refuses cut-off files and keeps its warnings to
    itself. This holds for the whole process, so nothing calls it on import. ``load_photo`` is
    stricter and does not go through ``Image.open``.
    """
    Image.MAX_IMAGE_PIXELS = decode.MAX_PIXELS // 2  # it raises above twice this
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    pixels = np.array(image, dtype=np.uint8)  # (H,W,3)
    pixels.setflags(write=False)
    return pixels


def _check_array(pixels: NDArray[np.generic]) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ImageError(
            "An array is a photo if it is uint8 RGB of shape (height, width, 3); "
            f"this one is {pixels.dtype} of shape {pixels.shape}."
        )
