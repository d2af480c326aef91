"""What comes out: a portrait of each photo, the verdict on a pair, the explanation of a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from xfv_core.confidence.curves import CalibrationError
from xfv_core.confidence.measures import Measures
from xfv_core.confidence.scores import at_prior
from xfv_core.confidence.verdicts import Answer, Move
from xfv_core.explain import Maps
from xfv_core.explain.fidelity import Fidelity
from xfv_core.faces import Crop, Face, recut
from xfv_core.faces.images import Photo
from xfv_core.overlay import encode, overlay_crop, overlay_photo, shared_scale, side_by_side
from xfv_core.overlay.regions import by_region
from xfv_core.overlay.words import describe

CROP_SHOWN = 336  # px; three times what SFace sees, cut from the photo again, not blown up
PHOTO_SHOWN = 800  # px on the long side

OWN = "own"  # the name of an operating point that the caller's own threshold makes

Side = Literal["a", "b"]
Surface = Literal["crop", "photo"]
PictureKind = Literal["png", "jpeg", "webp"]


@dataclass(frozen=True)
class FoundFace:
    """One face of a photo, for answers in JSON.

    ``box``: edges x0, y0, x1, y1 in pixels of the photo as it was read (turned upright by its EXIF,
    at most ``faces.decode.LONG_SIDE`` px long); it may reach beyond the photo. ``probability``: the
    detector's, in [0,1]. ``turn``: quarter turns that bring the face upright, as in `Face`.
    """

    box: tuple[float, ...]
    probability: float
    turn: int


@dataclass(frozen=True, eq=False)
class Portrait:
    """One photo, the face chosen in it and the crop one model sees."""

    photo: Photo
    faces: tuple[Face, ...]
    chosen: int
    crop: Crop

    @property
    def identity(self) -> tuple[str, int, bytes]:
        """Which face of which pixels; equal for equal uploads."""
        landmarks = self.faces[self.chosen].landmarks  # a crop served as a photo has its own
        return self.photo.digest, self.chosen, landmarks.tobytes()

    @property
    def found(self) -> tuple[FoundFace, ...]:
        """All faces of the photo, in the order by which one is chosen: the largest first."""
        return tuple(
            FoundFace(tuple(round(edge, 1) for edge in f.box.tolist()), f.probability, f.turn)
            for f in self.faces
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about this photo, a sentence each."""
        n = len(self.faces)
        which = "the largest" if self.chosen == 0 else f"number {self.chosen + 1} by size"
        several = (f"{n} faces found; {which} is compared.",) if n > 1 else ()
        return (*self.photo.notes, *several, *self.faces[self.chosen].warnings)

    def tensor(self) -> Tensor:
        """The crop as (3,S,S) float32 RGB in [0,1]."""
        return torch.from_numpy(self.crop.pixels.copy()).permute(2, 0, 1).float() / 255

    def sharp_crop(self, side: int = CROP_SHOWN) -> NDArray[np.uint8]:
        """The same crop in display size, (side, side, 3)."""
        return recut(self.photo.pixels, self.crop, side)

    def shown_photo(self) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """The photo within PHOTO_SHOWN, and the (2,3) matrix from it to the crop."""
        pixels, matrix = self.photo.pixels, self.crop.matrix
        grow = max(pixels.shape[:2]) / PHOTO_SHOWN
        if grow <= 1:
            return pixels, matrix
        size = (round(pixels.shape[1] / grow), round(pixels.shape[0] / grow))
        small = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
        linear = matrix[:, :2] * grow
        shift = matrix[:, :2] @ np.full(2, (grow - 1) / 2) + matrix[:, 2]
        return np.asarray(small), np.column_stack([linear, shift])


Pair = tuple[Portrait, Portrait]


class Noted(Protocol):
    """What a verdict tells of a photo besides its embedding; a `Portrait` does."""

    @property
    def chosen(self) -> int: ...

    @property
    def found(self) -> tuple[FoundFace, ...]: ...

    @property
    def notes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Verdict:
    """The answer for one pair.

    ``similarity`` is the cosine in [-1,1], ``distance`` is 1 - similarity; ``same`` iff
    similarity >= threshold. ``probability_same`` (equal priors) is None for a model without
    calibration; ``confidence`` is the probability of the verdict given, None where the operating
    point gives a verdict that the probability does not support. ``faces``: which face of each
    photo, 0 the largest. ``found``: all faces of each photo in that order, empty where only crops
    were compared.

    ``answer``: ``same`` in words, or "cannot tell" where the probability lies near even odds or a
    photo is poorer than any that was fitted. Where the measures of both photos count, ``threshold``
    is the bar of this pair, ``usual_threshold`` that of ordinary photos, ``moved`` what moved it,
    the greatest first, ``says_nothing`` the two similarities between which nothing is said,
    ``slope`` the ln of the likelihood ratio per unit of similarity outside them. ``lr_bound``: the
    LR lies within [1/bound, bound], which is all that the number of measured pairs allows.
    """

    similarity: float
    distance: float
    threshold: float
    same: bool
    probability_same: float | None
    confidence: float | None
    operating_point: str
    model: str
    calibrated: bool
    faces: tuple[int, int]
    notes: tuple[str, ...]
    found: tuple[tuple[FoundFace, ...], tuple[FoundFace, ...]] = ((), ())
    answer: Answer | None = None
    usual_threshold: float | None = None
    says_nothing: tuple[float, float] | None = None
    slope: float | None = None
    measures: tuple[Measures, Measures] | None = None
    moved: tuple[Move, ...] = ()
    likelihood_ratio: float | None = None
    log10_lr: float | None = None
    lr_bound: float | None = None

    @property
    def words(self) -> str:
        if self.answer == "cannot tell":
            return "Cannot tell"
        return "Same person" if self.same else "Different people"

    @property
    def certainty(self) -> str:
        """How sure, in words; never a percentage that was not measured."""
        if self.probability_same is None:
            return "not calibrated"
        if self.answer == "cannot tell":
            return f"P(same person) is {percent(self.probability_same)}"
        if self.confidence is None:
            return f"by {self._rule}, though P(same person) is {percent(self.probability_same)}"
        return f"{percent(self.confidence)} sure"

    @property
    def _rule(self) -> str:
        own = f"your own threshold of {self.threshold:.2f}"
        return own if self.operating_point == OWN else f"the rule {self.operating_point}"

    @property
    def bar_words(self) -> str:
        """What moved the bar of this pair and by how much; "" where nothing did."""
        if self.usual_threshold is None or self.says_nothing is None or not self.moved:
            return ""
        bar, usual = self.says_nothing[1], self.usual_threshold
        way = "higher" if bar > usual else "lower"
        reasons = " ".join(move.sentence for move in self.moved)
        if self.operating_point == OWN:
            return (
                f"Your own threshold stays where it is; P(same person) reaches 50 % at {bar:.2f} "
                f"for this pair (usually at {usual:.2f}). {reasons}"
            )
        return f"The bar is {way} for this pair ({bar:.2f} instead of {usual:.2f}). {reasons}"

    def at_prior(self, prior: float) -> float | None:
        """P(same) where that is thought ``prior``, in (0,1), before the photos are seen.

        CalibrationError for another prior.
        """
        if not 0 < prior < 1:
            raise CalibrationError(f"A prior lies between 0 and 1, not at {prior}.")
        p = self.probability_same
        return None if p is None else at_prior(p, prior)

    @property
    def sentence(self) -> str:
        """Verdict, certainty and what they rest on, in one line."""
        odds = " at equal odds" if self.calibrated else ""
        own = "your own " if self.operating_point == OWN else ""
        return (
            f"{self.words}, {self.certainty}{odds} (similarity {self.similarity:.3f}, "
            f"{own}threshold {self.threshold:.3f}, model {self.model})."
        )


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one tab shows: the maps of one method, as values, in words and judged.

    ``maps`` are the values that metrics judge, ``shown`` the same as they are coloured (gradient
    maps are smoothed). ``scale``: the shown value of the full colour, one for both photos.
    ``sentence``: what the maps show, in words. ``fidelity``: None until the maps are final.
    ``agreement``: rank correlation, in [-1,1], with the maps that other methods made of the same
    crops; those of another network carry its title, "patches (RRF-56)".
    """

    verdict: Verdict
    maps: Maps
    shown: Maps
    portraits: tuple[Portrait, Portrait]
    scale: float
    sentence: str
    fidelity: Fidelity | None = None
    agreement: Mapping[str, float] = field(default_factory=dict)

    def overlay(
        self, side: Side, *, on: Surface = "crop", strength: float = 1
    ) -> NDArray[np.uint8]:
        """One map over the aligned crop, or over the photo it came from; uint8 (H,W,3)."""
        portrait, values = self.portraits[side == "b"], getattr(self.shown, side)
        if on == "crop":
            return overlay_crop(portrait.sharp_crop(), values, self.scale, strength, CROP_SHOWN)
        photo, matrix = portrait.shown_photo()
        return overlay_photo(photo, values, matrix, self.scale, strength)

    def figure(
        self,
        kind: PictureKind,
        *,
        on: Surface = "crop",
        strength: float = 0.85,
    ) -> bytes:
        """Both overlays, legend, verdict, notes and description as one picture file."""
        a, b = (self.overlay(side, on=on, strength=strength) for side in ("a", "b"))
        notes = "".join(f"\n{note}" for note in self.verdict.notes)
        caption = f"{self.verdict.sentence} {self.sentence}{notes}"
        sheet = side_by_side(a, b, self.scale, self.maps.unit, caption, view=self.maps.view)
        return encode(sheet, kind)

    @property
    def regions(self) -> dict[str, tuple[float, float]]:
        """What speaks for, less what speaks against, by region; see ``by_region``."""
        a, b = self.portraits
        return by_region(self.shown, a.crop.landmarks, b.crop.landmarks)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; maps as rows of numbers, what a network says itself unrounded."""
        reading = self.maps.reading
        return {
            "verdict": asdict(self.verdict),
            **(reading.to_dict() if reading else {}),
            "method": self.maps.method,
            "view": self.maps.view,
            "unit": self.maps.unit,
            "cost": asdict(self.maps.cost),
            "sentence": self.sentence,
            "regions": {region: list(shares) for region, shares in self.regions.items()},
            "agreement": dict(self.agreement),
            "fidelity": self.fidelity and plain(vars(self.fidelity)),
            "maps": {"a": self.maps.a.tolist(), "b": self.maps.b.tolist()},
        }


def explanation_of(
    verdict: Verdict,
    maps: Maps,
    pair: Pair,
    fidelity: Fidelity | None = None,
    agreement: Mapping[str, float] | None = None,
) -> Explanation:
    """Maps of a pair, on one scale and in words."""
    shown = maps.shown()
    scale = shared_scale(shown)
    sentence = describe(shown, pair[0].crop.landmarks, pair[1].crop.landmarks, scale)
    if reading := maps.reading:
        sentence = reading.words(sentence)
    return Explanation(verdict, maps, shown, pair, scale, sentence, fidelity, agreement or {})


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for JSON: arrays as lists."""
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def percent(p: float) -> str:
    """A probability with the digits it takes not to round to certainty: 97 %, 99.95 %."""
    digits = next(d for d in (0, 1, 2, 3) if d == 3 or round(min(p, 1 - p) * 100, d) > 0)
    return f"{p * 100:.{digits}f} %"
