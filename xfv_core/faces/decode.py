"""Untrusted bytes -> upright RGB pixels: bounded in bytes, pixels, memory and formats.

JPEG, PNG and WebP are decoded here, each by the one decoder its signature names. HEIC and AVIF
carry their true size only inside the coded stream (a 2 kB AVIF that declares 100x100 px made its
decoder take 300 MB), so they are decoded in a child process with a memory and a time limit.
Every other format is refused by name; those of old data sets are read where the caller says so, for
files of one's own. Metadata is dropped; colours are taken as sRGB, because
converting them would hand untrusted profiles to one more parser for a shift that face networks
do not notice.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from xfv_core.errors import XfvError

MAX_BYTES = 40_000_000
MAX_PIXELS = 25_000_000  # decoded at most, whatever the format
MAX_JPEG_PIXELS = 100_000_000  # single-scan JPEG, decoded at half size
MAX_MULTISCAN_PIXELS = 50_000_000  # progressive JPEG holds every coefficient in memory
MAX_SCANS = 100  # each scan of a progressive JPEG costs one pass over the picture
MAX_JPEG_PIXELS_PER_BYTE = 512  # a block of 64 pixels takes at least one bit
MIN_SIDE, MAX_ASPECT = 24, 10
LONG_SIDE = 4096  # a 12 MP phone photo stays as it is; larger ones are shrunk to save memory
CHILD_BYTES, CHILD_SECONDS = 1_000_000_000, 30

FILES = (bytes, bytearray, memoryview, str, os.PathLike)  # how a file is given: itself or its path

_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImageFile,
}
_DATED: dict[str, type[ImageFile.ImageFile]] = {
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF and raw": TiffImageFile,
    "PGM and PPM": PpmImageFile,
}
_SIGNATURES = (
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"RIFF....WEBP", "WebP"),
    (rb"....ftyp(avif|avis|(mif1|msf1).{4,60}avi[fs])", "AVIF"),
    (rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", "HEIC"),
    (rb"....ftyp", "Video"),
    (rb"GIF8", "GIF"),
    (rb"BM.{12}", "BMP"),
    (rb"P[1-6][\s#]", "PGM and PPM"),
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", "TIFF and raw"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"\0\0\0\x0cJXL |\xff\x0a", "JPEG XL"),
    (rb"8BPS|%PDF", "Photoshop and PDF"),
    (rb"\s*(<\?xml|<svg|<!DOCTYPE|<html)", "SVG and web"),
)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_NEXT_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_DAMAGED = (
    "The picture is damaged or incomplete; open it in a photo program, "
    "save it as a new JPEG or PNG and try that."
)


class ImageError(XfvError):
    """A file that is no photo we can safely read; the message says what to do instead."""


def decode(data: bytes, *, dated: bool = False) -> tuple[Image.Image, list[str]]:
    """A file's bytes -> an upright RGB picture of at most ``LONG_SIDE`` px, and notes about it.

    ``dated``: also BMP, TIFF, PGM, PPM and GIF, for files that no stranger has sent. The first
    frame of an animation is taken; transparent parts are shown on white, as most viewers do (what
    lies hidden under them is never used). Raises `ImageError`.
    """
    kind = _format_of(data, dated)
    try:
        opened, notes = _open(data, kind)
        return upright(opened), notes
    except ImageError:
        raise
    except Exception as error:  # Pillow's parsers raise nearly anything on hostile bytes
        raise ImageError(_DAMAGED) from error


def upright(image: Image.Image) -> Image.Image:
    """A picture of any mode -> RGB of at most ``LONG_SIDE`` px, turned as its EXIF says."""
    flat = _flattened(image)
    flat.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    exif = image.info.get("exif")
    turn = _UPRIGHT.get(_orientation(exif)) if isinstance(exif, bytes) else None
    return flat if turn is None else flat.transpose(turn)


def read(source: bytes | bytearray | memoryview | str | os.PathLike[str]) -> bytes:
    """The bytes of a file given as such or as its path; raises `ImageError`."""
    data = _read_file(source) if isinstance(source, str | os.PathLike) else bytes(source)
    if not data:
        raise ImageError("The file is empty; choose a photo as JPEG, PNG or WebP.")
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"The file is larger than {MAX_BYTES // 1_000_000} MB; save a smaller copy and try it."
        )
    return data


def _read_file(path: str | os.PathLike[str]) -> bytes:
    try:
        if not Path(path).is_file():  # a device or a pipe could be endless
            raise ImageError(f"There is no photo file at {os.fspath(path)!r}; check the path.")
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ImageError(f"The file {os.fspath(path)!r} cannot be read; check the path.") from error


def _format_of(data: bytes, dated: bool) -> str:
    for pattern, name in _SIGNATURES:
        if re.match(pattern, data[:80], re.DOTALL):
            if name in _DECODERS or name in ("HEIC", "AVIF") or (dated and name in _DATED):
                return name
            raise ImageError(
                f"{name} files are not read here; save the picture as JPEG or PNG and try that."
            )
    raise ImageError("This file is not a photo; choose one as JPEG, PNG, WebP, HEIC or AVIF.")


def _open(data: bytes, kind: str) -> tuple[Image.Image, list[str]]:
    if kind in ("HEIC", "AVIF"):
        return _open_in_child(data, kind)
    image = {**_DECODERS, **_DATED}[kind](io.BytesIO(data))
    check_size(*image.size, _jpeg_limit(data) if kind == "JPEG" else MAX_PIXELS)
    if kind == "JPEG" and image.width * image.height > MAX_JPEG_PIXELS_PER_BYTE * len(data):
        raise ImageError(_DAMAGED)
    notes = notes_on(image.size, getattr(image, "is_animated", False))
    if image.width * image.height > MAX_PIXELS:
        image.draft(None, (image.width // 2, image.height // 2))
    image.load()
    return image, notes


def notes_on(size: tuple[int, int], animated: bool = False) -> list[str]:
    """What the owner of a picture of (width, height) should know was done to it."""
    notes = ["Animated image, the first frame is used."] if animated else []
    if max(size) > LONG_SIDE:
        notes.append(f"Large photo of {size[0]} x {size[1]} pixels, a reduced copy is used.")
    return notes


def check_size(width: int, height: int, limit: int = MAX_PIXELS) -> None:
    """Refuse by the header alone, before any memory is spent on pixels."""
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"The picture is only {width} x {height} pixels; "
            f"choose one with at least {MIN_SIDE} pixels on each side."
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(
            f"The picture is a strip of {width} x {height} pixels; crop it around the face."
        )
    if width * height > limit:
        raise ImageError(
            f"The picture has {width * height / 1e6:.0f} megapixels and at most {limit / 1e6:.0f} "
            "can be read from this kind of file; save a smaller copy and try that."
        )


def _jpeg_limit(data: bytes) -> int:
    """Pixels a JPEG may have: fewer where it has several scans, none where it has too many."""
    scans, position = 0, 2
    while (marker := _NEXT_MARKER.search(data, position)) and marker[1] != b"\xd9":
        scans += marker[1] == b"\xda"
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    if scans > MAX_SCANS:
        raise ImageError(f"The JPEG has {scans} scans; save it as a new JPEG or PNG and try that.")
    return MAX_JPEG_PIXELS if scans <= 1 else MAX_MULTISCAN_PIXELS


def _flattened(image: Image.Image) -> Image.Image:
    """Any mode -> RGB; CMYK by the plain formula, as its profile is not read."""
    if image.mode == "F":  # nobody knows what its white is
        raise ImageError("A picture of floating-point values is no photo; save it as PNG.")
    if image.mode.startswith("I"):  # grey of up to 16 bits
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(layer, mask=layer.getchannel("A"))
    return white


def _eight_bits(grey: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Grey values as 8 bits: cameras and scanners put 8, 10, 12 or 14 bits into 16 unscaled."""
    used = int(grey.max()).bit_length()
    depth = next((bits for bits in (8, 10, 12, 14) if used <= bits), 16)
    return np.clip(grey >> (depth - 8), 0, 255).astype(np.uint8)


def _orientation(exif: bytes) -> int:
    """Tag 0x0112 of the first EXIF directory, 1 (upright) where it cannot be found."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    with contextlib.suppress(struct.error):
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == 0x0112:
                return value
    return 1


def _open_in_child(data: bytes, kind: str) -> tuple[Image.Image, list[str]]:
    """Decode HEIC or AVIF where neither its memory, its time nor a crash can hurt this process."""
    # its own source: the child must not import this package, and torch with it
    code = f"{inspect.getsource(_child)}\n_child({kind!r}, {MAX_PIXELS}, {CHILD_BYTES})"
    try:
        child = subprocess.run(
            [sys.executable, "-c", code],
            input=data,
            capture_output=True,
            timeout=CHILD_SECONDS,
            env={**os.environ, "MALLOC_ARENA_MAX": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise ImageError(
            f"This {kind} picture takes too long to decode; save it as JPEG."
        ) from error
    header, _, raw = child.stdout.partition(b"\n")
    if not header:
        raise ImageError(f"This {kind} picture cannot be decoded; save it as JPEG and try that.")
    found = json.loads(header)
    check_size(*found["size"])
    image = Image.frombytes(found["mode"], tuple(found["size"]), raw)
    image.info["exif"] = bytes.fromhex(found["exif"])
    return image, notes_on(image.size, found["animated"])


def _child(kind: str, max_pixels: int, max_bytes: int) -> None:
    """The child process: a file on stdin -> one line of JSON, then the pixels, on stdout."""
    import contextlib
    import io
    import json
    import sys

    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 2
    with contextlib.suppress(ImportError, OSError, ValueError):  # not every system has the limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
    decoder: type = AvifImagePlugin.AvifImageFile
    exif, animated = b"", False
    if kind == "HEIC":  # libheif turns it upright itself, and several pictures are no animation
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = 2
        decoder = pillow_heif.HeifImageFile
    image = decoder(io.BytesIO(sys.stdin.buffer.read()))
    if kind == "AVIF":
        exif, animated = image.info.get("exif", b""), image.n_frames > 1
    fits = image.width * image.height <= max_pixels
    raw = image.tobytes() if fits else b""
    found = {"size": image.size, "mode": image.mode, "exif": exif.hex(), "animated": animated}
    sys.stdout.buffer.write(json.dumps(found).encode() + b"\n" + raw)
