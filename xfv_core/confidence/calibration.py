"""The calibration of one model: fitted by cross-validation, stored as JSON, asked for a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xfv_core.confidence.conditional import PairCurve
from xfv_core.confidence.curves import (
    CURVES,
    CalibrationError,
    Curve,
    Floats,
    Labels,
    NoFit,
    PlattCurve,
    Predictor,
    XFaceCurve,
    hard_labels,
    raw_xface,
)
from xfv_core.confidence.scores import (
    OperatingPoint,
    ReliabilityBin,
    Scores,
    operating_points,
    reliability,
    score,
)
from xfv_core.strict_json import STRICT, JsonError, build

Fitter = Callable[[Floats, Labels], Predictor]

FITTERS: Mapping[str, Fitter] = {
    "xface": XFaceCurve.fit,
    "platt": PlattCurve.fit,
    "raw_xface": raw_xface,
    "hard_labels": hard_labels,
}
CROPS = {  # ways of cropping, in words
    "aligned": "aligned crops",
    "served": "photos cut by our own detector",
    "middle": "squares in the middle, not aligned",
}
FEWEST_PAIRS = 20  # of each class, so that every fold leaves something to fit and to score
HISTOGRAM_BINS = 80
BELOW_HALF = math.nextafter(0.5, 0.0)


@dataclass(frozen=True)
class SimilarityHistogram:
    """How many genuine and impostor pairs fell into each of equal bins over [-1,1]."""

    genuine: tuple[int, ...]
    impostor: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.genuine) == len(self.impostor) > 0:
            raise CalibrationError("the two similarity histograms differ in length")


@dataclass(frozen=True)
class Calibration:
    """What a similarity of one model is worth.

    ``curve`` and ``parameters`` give P(same) at ``prior`` 0.5, clipped to [1 - cap, cap];
    ``scores`` are those of this curve on the pairs it was fitted to. Where it was measured, or
    what was measured has been read too, ``comparison`` holds the scores of every curve tried and of
    the two references; ``paths`` those of this curve per way of cropping (a key of ``CROPS``),
    ``fitted_on`` being one of them; ``degraded`` those per kind of degraded copy. All with the
    scored fold held out. ``conditional``: the curve that also takes measures of both photos, and
    is used where they are known.
    """

    curve: str
    parameters: Mapping[str, float]
    n_genuine: int
    n_impostor: int
    cap: float
    dataset: str
    protocol: str
    fitted_on: str
    prior: float
    scores: Scores
    operating_points: tuple[OperatingPoint, ...]
    reliability: tuple[ReliabilityBin, ...]
    histogram: SimilarityHistogram
    comparison: Mapping[str, Scores] = field(default_factory=dict)
    paths: Mapping[str, Scores] = field(default_factory=dict)
    degraded: Mapping[str, Scores] = field(default_factory=dict)
    conditional: PairCurve | None = None
    __pydantic_config__ = STRICT  # how JSON is read into it, and into what it is made of

    def __post_init__(self) -> None:
        if self.curve not in CURVES or self.curve not in (self.comparison or CURVES):
            raise CalibrationError(f"calibration names an unknown or unscored curve {self.curve!r}")
        if self.fitted_on not in (self.paths or CROPS):
            raise CalibrationError(f"no score of the path it was fitted on, {self.fitted_on!r}")
        if self.prior != 0.5:
            raise CalibrationError(f"only equal priors are supported, not {self.prior}")
        most = claim(self.n_genuine, self.n_impostor)
        if not 0.5 < self.cap <= most:
            raise CalibrationError(f"a cap of {self.cap} claims more than {most:.6f}, all n allows")
        if abs(float(self.sigma(self.point("balanced").threshold)) - 0.5) > 1e-9:
            raise CalibrationError("the balanced threshold is not where the probability is 0.5")

    @cached_property
    def sigma(self) -> Curve:
        """The fitted curve, neither capped nor tied to the threshold."""
        try:
            return CURVES[self.curve](**self.parameters)
        except TypeError:
            raise CalibrationError(f"wrong parameters for the {self.curve} curve") from None

    def point(self, name: str) -> OperatingPoint:
        """The operating point ``name``; CalibrationError if there is none."""
        for point in self.operating_points:
            if point.name == name:
                return point
        known = ", ".join(point.name for point in self.operating_points)
        raise CalibrationError(f"no operating point {name!r}: choose one of {known}")

    def probabilities(self, similarities: ArrayLike) -> Floats:
        """P(same) at equal priors, within [1 - cap, cap]; >= 0.5 exactly where s >= θ balanced."""
        s = np.asarray(similarities, np.float64)
        p = np.clip(self.sigma(s), 1 - self.cap, self.cap)
        same = s >= self.point("balanced").threshold
        return np.where(same, np.maximum(p, 0.5), np.minimum(p, BELOW_HALF))

    def probability(self, similarity: float) -> float:
        """``probabilities`` of one cosine similarity; ValueError if it is not a number."""
        if not math.isfinite(similarity):
            raise ValueError(f"similarity is {similarity}")
        return float(self.probabilities(similarity))

    def served(self) -> Calibration:
        """What a verdict and its page need: without the tables of what was compared."""
        return replace(self, comparison={}, paths={}, degraded={})

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Inverse of ``to_dict``; CalibrationError on anything missing, unknown or out of range."""
        try:
            return build(cls, data, "calibration")
        except JsonError as error:
            raise CalibrationError(str(error)) from error


class Decision(NamedTuple):
    """``confidence`` is the probability of the verdict, None where the two contradict."""

    same: bool
    probability_same: float
    confidence: float | None


def decide(
    calibration: Calibration, similarity: float, operating_point: str = "balanced"
) -> Decision:
    """The verdict of one pair at an operating point; at ``balanced`` it never contradicts p."""
    return decide_at(calibration, similarity, calibration.point(operating_point).threshold)


def decide_at(calibration: Calibration, similarity: float, threshold: float) -> Decision:
    """The verdict of one pair at a threshold on the similarity."""
    similarity = float(similarity)  # numpy would compare a float32 with a rounded threshold
    p = calibration.probability(similarity)
    same = similarity >= threshold
    if same != (p >= 0.5):
        return Decision(same, p, None)
    return Decision(same, p, p if same else 1 - p)


def claim(n_genuine: int, n_impostor: int) -> float:
    """The most that may be claimed, 1 - 1/(n + 2): Laplace's rule on the rarer class.

    n is the same for both sides: "same" is limited by how few impostors were seen to stay below,
    "different" by how few genuine pairs were seen to stay above.
    """
    return 1 - 1 / (min(n_genuine, n_impostor) + 2)


def consecutive_folds(labels: Labels, folds: int = 10) -> NDArray[np.intp]:
    """Fold of each pair: every class cut, in its order, into ``folds`` equal runs."""
    fold = np.empty(len(labels), np.intp)
    for side in (labels, ~labels):
        fold[side] = np.arange(side.sum()) * folds // side.sum()
    return fold


def cross_validated(
    fitter: Fitter,
    similarities: Floats,
    labels: Labels,
    folds: NDArray[np.intp],
    scored: Floats | None = None,
) -> Floats:
    """Capped p of every pair, from the curve fitted on the other folds.

    ``scored``: other similarities of the same pairs (degraded, or cropped another way) that the
    curves of ``similarities`` are to judge; NaN, where there is none, gives NaN.
    """
    scored = similarities if scored is None else scored
    p = np.empty(len(labels))
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        most = claim(int(labels[train].sum()), int((~labels[train]).sum()))
        sigma = fitter(similarities[train], labels[train])
        p[test] = np.clip(sigma(scored[test]), 1 - most, most)
    return p


def fit(
    similarities: ArrayLike,
    labels: ArrayLike,
    folds: int | NDArray[np.intp] = 10,
    *,
    dataset: str,
    protocol: str,
    fitted_on: str = "aligned",
) -> Calibration:
    """Fit both curves to (N,) similarities and labels; keep the one of lower held-out NLL.

    ``folds``: how many consecutive ones, or the fold of each pair. The references are scored the
    same way; 0/1 labels and the unconstrained recipe get a finite NLL only by the same cap.
    Raises CalibrationError where there is nothing to fit.
    """
    s, y = checked_pairs(similarities, labels)
    fold = consecutive_folds(y, folds) if isinstance(folds, int) else folds
    held_out: dict[str, Floats] = {}
    for name, fitter in FITTERS.items():
        with suppress(NoFit):
            held_out[name] = cross_validated(fitter, s, y, fold)
    comparison = {name: score(p, y) for name, p in held_out.items()}
    best = min((name for name in comparison if name in CURVES), key=lambda c: comparison[c].nll)
    sigma = CURVES[best].fit(s, y)
    genuine, impostor = (
        tuple(np.histogram(np.clip(s[side], -1, 1), HISTOGRAM_BINS, (-1, 1))[0].tolist())
        for side in (y, ~y)
    )
    return Calibration(
        curve=best,
        parameters=asdict(sigma),
        n_genuine=int(y.sum()),
        n_impostor=int((~y).sum()),
        cap=claim(int(y.sum()), int((~y).sum())),
        dataset=dataset,
        protocol=protocol,
        fitted_on=fitted_on,
        prior=0.5,
        scores=comparison[best],
        comparison=comparison,
        operating_points=operating_points(s, y, sigma.crossing()),
        reliability=reliability(held_out[best], y),
        histogram=SimilarityHistogram(genuine, impostor),
        paths={fitted_on: comparison[best]},
        degraded={},
    )


def checked_pairs(similarities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Labels]:
    """As float64 and bool arrays of one length, or CalibrationError saying what is wrong."""
    s, y = np.asarray(similarities, np.float64), np.asarray(labels, bool)
    if s.shape != y.shape or s.ndim != 1 or not np.isfinite(s).all():
        raise CalibrationError("similarities and labels must be finite lists of the same length")
    check_enough(y)
    if s[y].mean() <= s[~y].mean():
        raise CalibrationError("genuine pairs are no more similar than impostor pairs here")
    return s, y


def check_enough(labels: Labels) -> None:
    """CalibrationError where either class has too few pairs to fit or to judge a curve."""
    n_genuine, n_impostor = int(labels.sum()), int((~labels).sum())
    if min(n_genuine, n_impostor) < FEWEST_PAIRS:
        raise CalibrationError(
            f"{n_genuine} genuine and {n_impostor} impostor pairs are too few to calibrate on: "
            f"at least {FEWEST_PAIRS} of each are needed"
        )
