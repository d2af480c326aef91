"""Signed maps as colours over photos: values in, pixels out, the photo's lightness kept where it
can carry a colour.

The blend follows xFace (Knoche et al., arXiv 2211.13735): hue and saturation come from the map's
colour, lightness from the photo, neutral turns grey.  The paper does it in HSL, where a green and
a pink of equal "lightness" differ twofold in brightness; here lightness is luminance in linear
light (hence CIE L*), which a blend keeps exactly, and hue and saturation are those of OKLab, whose
ratio chroma / L does not change when light is dimmed.  Black and white have no room for any colour,
so there a strong value would vanish: near them lightness is drawn inwards, by as much as the value
is strong.

The colours are those of PiYG (ColorBrewer by Cynthia Brewer, colorbrewer.org) with two changes.
PiYG tells pink from its neutral by darkness too; at the photo's lightness its pink (hue 350, the
five-class #D01C8B) is what people without the green-sensitive cone see as grey, so it is turned to
332; the green (139, #4DAC26) stays.  Both arms end at one saturation, so that equal magnitudes
look equally strong (PiYG's own have 0.39 and 0.29).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xfv_core.explain.base import Maps

_PINK, _GREEN = 332.0, 139.0  # hue in OKLab, degrees
_SATURATION = 0.31  # chroma / L in OKLab; the most that sRGB has at that green
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709
_LMS = np.array(  # OKLab (Ottosson 2020): linear sRGB -> cone responses
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(  # cube roots of cone responses -> L, a, b
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_DARK, _BRIGHT = 0.1, 0.5  # luminance (L* 38 and 76) within which a photo's lightness is kept
_LIFT = 0.8  # of the way there, at the full colour; the rest keeps what the photo shows apart
_SHADES = 512  # steps of the colour map from neutral to either end
_LEVELS = 16383  # steps of linear light; fine enough to give every 8-bit level back unchanged
_BLOCK = 40_000  # pixels blended at a time: what the processor's cache holds


def _linear(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB in [0,1] -> linear light in [0,1]."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light in [0,1] -> sRGB in [0,1]."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _tints(hue: float) -> NDArray[np.float64]:
    """Linear RGB of luminance 1, minus grey, from neutral to full saturation: (_SHADES,3)."""
    chroma = _SATURATION * np.linspace(0, 1, _SHADES)
    a, b = chroma * np.cos(np.deg2rad(hue)), chroma * np.sin(np.deg2rad(hue))
    lab = np.stack([np.ones(_SHADES), a, b], axis=-1)
    light = (lab @ np.linalg.inv(_LAB).T) ** 3 @ np.linalg.inv(_LMS).T  # (_SHADES,3)
    light /= light[0]  # the published matrices are rounded: make neutral grey to the last digit
    return light / (light @ _LUMINANCE)[:, None] - 1


def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Tint by shade (3, 2 _SHADES - 1), and how fast each shade's arm must fade towards white."""
    pink, green = _tints(_PINK), _tints(_GREEN)
    tints = np.concatenate([pink[:0:-1], green])
    fades = np.repeat([1 / pink[-1].max(), 1 / green[-1].max()], [_SHADES - 1, _SHADES])
    return np.ascontiguousarray(tints.T, np.float32), fades.astype(np.float32)


_TINTS, _FADES = _tables()
_WEIGHTS = _LUMINANCE.astype(np.float32)
_TO_LIGHT = _linear(np.arange(256) / 255).astype(np.float32)
_FROM_LIGHT = np.rint(255 * _encoded(np.arange(_LEVELS + 1) / _LEVELS)).astype(np.uint8)


def shared_scale(
    maps: Maps | Sequence[NDArray[np.float32]], quantile: float = 0.999, floor: float = 1e-6
) -> float:
    """One symmetric scale for both photos, in the map's unit: the value of the full colour.

    It is the ``quantile`` of all magnitudes, so that a few stray pixels do not pale the rest, and
    never less than ``floor``, so that a map of mere noise stays neutral.  The default floor is the
    rounding of float32; a method that knows the noise of its unit passes that.  Raises ValueError
    unless ``floor`` > 0.
    """
    if floor <= 0:
        raise ValueError("a map of zeros has no scale of its own: floor must be positive")
    both = maps if isinstance(maps, Sequence) else (maps.a, maps.b)
    magnitudes = np.concatenate([np.abs(values).ravel() for values in both])
    return max(float(np.quantile(magnitudes, quantile)), floor)


def blend(
    photo: NDArray[np.uint8],
    values: NDArray[np.float32],
    scale: float,
    strength: float | NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Colour a photo (H,W,3) by a signed map (H,W): green above zero, pink below, grey at zero.

    ``scale`` > 0 is the magnitude of the full colour; larger values are clipped to it.
    ``strength`` in [0,1], one number or (H,W): 0 gives the photo back bit for bit, 1 keeps only
    its lightness, which is drawn away from black and white where the value is strong.  Saturation
    is proportional to the value, within what sRGB can show at that lightness.  Returns uint8
    (H,W,3).
    """
    pixels = photo.reshape(-1, 3)
    flat = values.reshape(-1)
    strengths = np.broadcast_to(np.asarray(strength, np.float32), values.shape).reshape(-1)
    out = np.empty_like(pixels)
    for start in range(0, len(pixels), _BLOCK):
        part = slice(start, start + _BLOCK)
        _blend_block(pixels[part], flat[part], scale, strengths[part], out[part])
    return out.reshape(photo.shape)


def _blend_block(
    pixels: NDArray[np.uint8],
    values: NDArray[np.float32],
    scale: float,
    strength: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """Pixels (N,3) into ``out``: mix(light, grey + tint of luminance zero)."""
    shade = values * np.float32((_SHADES - 1) / scale) + np.float32(_SHADES - 0.5)
    shade = np.clip(shade, 0, 2 * _SHADES - 2).astype(np.intp)
    light = [_TO_LIGHT[pixels[:, c]] for c in range(3)]
    grey = sum(weight * band for weight, band in zip(_WEIGHTS, light, strict=True))
    strong = np.minimum(np.abs(values) * np.float32(_LIFT / scale), np.float32(_LIFT))
    grey = grey + strong * (np.clip(grey, _DARK, _BRIGHT) - grey)
    headroom = np.minimum(grey, (1 - grey) * _FADES[shade])  # keeps every channel in [0,1]
    rest = 1 - strength
    for c, band in enumerate(light):
        target = grey + headroom * _TINTS[c][shade]
        mixed = rest * band + strength * target
        out[:, c] = _FROM_LIGHT[(mixed * _LEVELS + np.float32(0.5)).astype(np.intp)]
