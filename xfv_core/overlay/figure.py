"""What goes around the overlays: legend, side-by-side figure, and the bytes of a saved picture."""

from __future__ import annotations

import unicodedata
from io import BytesIO
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from xfv_core.explain.views import View
from xfv_core.overlay.colours import blend

ENDS: dict[View, tuple[str, str]] = {  # of the bar: pink and green
    "evidence": ("less alike than at the bar", "more alike than at the bar"),
    "raw": ("makes them different", "makes them alike"),
}
_BAR_GREY = 139  # L* 58: there pink and green both reach their full saturation
_INK = {False: (0x1F, 0x23, 0x28), True: (0xE8, 0xEA, 0xED)}  # by dark: text
_PAPER = {False: (0xFF, 0xFF, 0xFF), True: (0x16, 0x18, 0x1D)}  # by dark: background
_MUTED = 170  # opacity of secondary text, of 255
_PLAIN = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "×": "x", "θ": "threshold", "→": "to", "≤": "<=", "≥": ">="}
)
_GLYPHS = frozenset(map(chr, range(32, 127))) | frozenset("©«°±´·»‘’“”…‹›™")  # of Pillow's font


def legend(
    scale: float,
    unit: str,
    width: int = 480,
    height: int = 72,
    dark: bool = False,
    view: View = "evidence",
) -> NDArray[np.uint8]:
    """The colour bar with its ends in numbers and words: uint8 (height,width,4), transparent.

    The bar shows the colours as they look over mid-grey, zero in the middle; ``unit`` stands
    below.  ``dark`` makes the text light, for a dark background; ``view``: what zero is, a pair at
    the bar ("evidence") or no effect ("raw").
    """
    rows = height / (3 if unit else 2)
    bar_height = max(round(0.62 * rows), 1)
    left, zero, right = _labels(scale, view)
    font = _fitting_font(
        rows * 0.66, width, f"{left}   {zero}   {left}", f"{right}   {zero}   {right}", unit
    )
    alpha = Image.new("L", (width, height))
    pen = ImageDraw.Draw(alpha)
    line = round(bar_height + 0.62 * rows)
    pen.text((0, line), left, fill=255, font=font, anchor="lm")
    pen.text((width / 2, line), zero, fill=255, font=font, anchor="mm")
    pen.text((width, line), right, fill=255, font=font, anchor="rm")
    if unit:
        below = round(bar_height + 1.62 * rows)
        pen.text((width / 2, below), _printable(unit), fill=_MUTED, font=font, anchor="mm")
    rgba = np.empty((height, width, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = _INK[dark], np.asarray(alpha)
    rgba[:bar_height] = _bar(width, bar_height)
    return rgba


def legend_colours(count: int = 33) -> NDArray[np.uint8]:
    """The colours of the bar from end to end: uint8 (count,3)."""
    grey = np.full((1, count, 3), _BAR_GREY, np.uint8)
    ramp = np.linspace(-1, 1, count, dtype=np.float32)[None]
    return blend(grey, ramp, scale=1.0, strength=1.0)[0]


def side_by_side(
    photo_a: NDArray[np.uint8],
    photo_b: NDArray[np.uint8],
    scale: float,
    unit: str,
    caption: str = "",
    titles: tuple[str, str] = ("First photo", "Second photo"),
    dark: bool = False,
    view: View = "evidence",
) -> NDArray[np.uint8]:
    """One picture to save: two overlays (H,W,3) at equal height, legend and caption below.

    Photos are shown between 336 and 1,200 pixels high.  Returns uint8 (H',W',3).
    """
    height = int(np.clip(max(len(photo_a), len(photo_b)), 336, 1200))
    text = max(round(height / 30), 14)
    photos = [_at_height(photo, height) for photo in (photo_a, photo_b)]
    inner = sum(photo.width for photo in photos) + text
    font = _font(text)
    lines = [
        line
        for paragraph in caption.splitlines()
        for line in _wrapped(_printable(paragraph), font, inner)
    ]
    bar = Image.fromarray(legend(scale, unit, min(inner, 36 * text), 5 * text, dark, view))

    step, margin = round(1.5 * text), 2 * text
    top = margin + step
    bar_top = top + height + text
    caption_top = bar_top + bar.height + text
    bottom = caption_top + len(lines) * step if lines else bar_top + bar.height
    page = Image.new("RGB", (inner + 2 * margin, bottom + margin), _PAPER[dark])
    pen = ImageDraw.Draw(page)
    x = margin
    for photo, title in zip(photos, titles, strict=True):
        pen.text((x, margin), _printable(title), fill=_INK[dark], font=font)
        page.paste(photo, (x, top))
        x += photo.width + text
    page.paste(bar, ((page.width - bar.width) // 2, bar_top), bar)
    for row, line in enumerate(lines):
        pen.text((margin, caption_top + row * step), line, fill=_INK[dark], font=font)
    return np.asarray(page)


def encode(image: NDArray[np.uint8], format: Literal["png", "jpeg", "webp"] = "png") -> bytes:
    """uint8 (H,W,3|4) -> the bytes of a file without metadata.

    PNG and WebP are lossless; JPEG (three channels only) is written once, at quality 95 with full
    colour resolution, so that the edges of a map stay where they are.
    """
    options: dict[str, dict[str, int]] = {
        "jpeg": {"quality": 95, "subsampling": 0},
        "webp": {"lossless": True},
    }
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, format=format, **options.get(format, {}))
    return buffer.getvalue()


def _labels(scale: float, view: View) -> tuple[str, str, str]:
    end, (pink, green) = two_figures(scale), ENDS[view]
    return f"-{end}  {pink}", "0", f"{green}  +{end}"


def two_figures(value: float) -> str:
    """Two significant figures, without an exponent."""
    return np.format_float_positional(value, precision=2, fractional=False).rstrip(".")


def _bar(width: int, height: int) -> NDArray[np.uint8]:
    """The colours from end to end with rounded corners: (height,width,4)."""
    ramp = np.linspace(-1, 1, width, dtype=np.float32)[None].repeat(height, axis=0)
    grey = np.full((height, width, 3), _BAR_GREY, np.uint8)
    fine = Image.new("L", (4 * width, 4 * height))
    ImageDraw.Draw(fine).rounded_rectangle((0, 0, *fine.size), radius=2 * height, fill=255)
    mask = np.asarray(fine.resize((width, height), Image.Resampling.BOX))
    return np.dstack([blend(grey, ramp, scale=1.0, strength=1.0), mask])


def _font(size: float) -> ImageFont.FreeTypeFont:
    """The font inside Pillow; its wheels are all built with FreeType."""
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size=size))


def _fitting_font(size: float, width: int, *lines: str) -> ImageFont.FreeTypeFont:
    """The font at ``size`` pixels, or smaller so that the widest line fits."""
    font = _font(size)
    while size > 4 and max(font.getlength(_printable(line)) for line in lines) > width:
        size *= 0.96  # hinted widths do not shrink in step with the size
        font = _font(size)
    return font


def _printable(text: str) -> str:
    """What Pillow's own font has signs for: accents dropped, signs spelled out."""
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    kept = (c for c in plain if not unicodedata.combining(c))
    return "".join(c if c in _GLYPHS else "?" for c in kept)


def _at_height(photo: NDArray[np.uint8], height: int) -> Image.Image:
    image = Image.fromarray(photo)
    width = round(image.width * height / image.height)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a paragraph into lines no wider than ``width`` pixels, at spaces."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
