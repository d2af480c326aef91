"""Curves from a cosine similarity s to P(same person) at equal priors, with d = 1 - s.

xFace   σ(d) = a / (1 + exp(k (d - x0))) + c           Knoche et al., WACV-W 2023, 2211.13735
Platt   σ(s) = 1 / (1 + exp(-(slope·s + intercept)))   Platt 1999, smoothed targets
Two reference predictors stand beside them: the paper's unconstrained recipe and hard labels.
Labels are boolean, True for a genuine pair; both classes weigh the same, whatever their sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from xfv_core.errors import XfvError

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
Predictor = Callable[[Floats], Floats]

DISTANCE_BINS = 2000  # over [0,2]: the paper's w = 0.001


class CalibrationError(XfvError, ValueError):
    """A calibration that cannot be fitted or read."""


class NoFit(CalibrationError):  # noqa: N818
    """This curve has no fit to these pairs; another one may."""


@dataclass(frozen=True)
class XFaceCurve:
    """The xFace sigmoid, kept inside [0,1], falling in d and crossing 0.5."""

    a: float
    k: float
    x0: float
    c: float

    def __post_init__(self) -> None:
        inside = 0 <= self.x0 <= 2 and 0 <= self.c < 0.5 < self.a + self.c <= 1
        if not (inside and 0 < self.k < math.inf):
            raise CalibrationError(f"{self} leaves [0,1], rises with distance or never crosses 0.5")

    def __call__(self, similarities: ArrayLike) -> Floats:
        d = 1 - np.asarray(similarities, np.float64)
        return self.a * expit(-self.k * (d - self.x0)) + self.c

    def crossing(self) -> float:
        """The similarity at which p = 0.5."""
        return 1 - self.x0 - math.log(self.a / (0.5 - self.c) - 1) / self.k

    @classmethod
    def fit(cls, similarities: Floats, labels: Labels) -> XFaceCurve:
        """Least squares on the per-bin posterior, each bin weighing as much as the pairs it holds.

        The paper counts all 2,000 bins alike, empty and single-pair ones too, which turns the
        curve into a step; weighted by mass, the criterion is the (binned) Brier score.
        """
        if similarities[labels].min() > similarities[~labels].max():
            raise NoFit("genuine and impostor pairs do not overlap: use the Platt curve")
        d, r, mass = posterior(similarities, labels)
        seen = mass > 0
        d, r, weight = d[seen], r[seen], np.sqrt(mass[seen])

        def residuals(q: Floats) -> Floats:  # a = u (1 - c) makes a + c <= 1 a box
            u, k, x0, c = q
            return weight * (u * (1 - c) * expit(-k * (d - x0)) + c - r)

        start = (0.99, 20.0, grid_threshold(similarities, labels), 0.001)
        box = ((0.55, 1e-3, 0.0, 0.0), (1.0, 1e3, 2.0, 0.45))
        scale = (0.01, 10.0, 0.1, 0.01)
        from scipy.optimize import least_squares  # slow to import, and only fits need it

        found = least_squares(
            residuals, np.clip(start, *box), bounds=box, x_scale=scale, xtol=1e-12, ftol=1e-12
        )
        u, k, x0, c = found.x.tolist()
        return cls(a=u * (1 - c), k=k, x0=x0, c=c)


@dataclass(frozen=True)
class PlattCurve:
    """The logistic curve, rising in s."""

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (self.slope > 0 and math.isfinite(self.crossing())):
            raise CalibrationError(f"{self} does not rise with similarity")

    def __call__(self, similarities: ArrayLike) -> Floats:
        return expit(self.slope * np.asarray(similarities, np.float64) + self.intercept)

    def crossing(self) -> float:
        """The similarity at which p = 0.5."""
        return -self.intercept / self.slope

    @classmethod
    def fit(cls, similarities: Floats, labels: Labels) -> PlattCurve:
        """Maximum likelihood with targets (n+1)/(n+2) for genuine, 1/(n+2) for impostor pairs."""
        n_genuine, n_impostor = int(labels.sum()), int((~labels).sum())
        target = np.where(labels, (n_genuine + 1) / (n_genuine + 2), 1 / (n_impostor + 2))
        weight = np.where(labels, 0.5 / n_genuine, 0.5 / n_impostor)
        centre, spread = similarities.mean(), similarities.std()
        s = (similarities - centre) / spread

        def loss(w: Floats) -> tuple[float, Floats]:
            z = w[0] * s + w[1]
            gap = weight * (expit(z) - target)
            return float(weight @ (np.logaddexp(0, z) - target * z)), np.array([gap @ s, gap.sum()])

        rising = ((1e-3, None), (None, None))
        tight = {"ftol": 1e-15, "gtol": 1e-10}
        from scipy.optimize import minimize

        found = minimize(
            loss, (1.0, 0.0), jac=True, method="L-BFGS-B", bounds=rising, options=tight
        )
        slope, intercept = found.x.tolist()
        return cls(float(slope / spread), float(intercept - slope * centre / spread))


Curve = XFaceCurve | PlattCurve
CURVES: Mapping[str, type[XFaceCurve] | type[PlattCurve]] = MappingProxyType(
    {"xface": XFaceCurve, "platt": PlattCurve}
)


def raw_xface(similarities: Floats, labels: Labels) -> Predictor:
    """The paper's own recipe, unconstrained and with every bin counting the same: a reference."""
    from scipy.optimize import curve_fit

    d, r, mass = posterior(similarities, labels)
    threshold = grid_threshold(similarities, labels)
    r = np.where(mass > 0, r, d < threshold)

    def sigma(d: Floats, a: float, k: float, x0: float, c: float) -> Floats:
        return a * expit(k * (d - x0)) + c

    start = (r.max(), -20.0, threshold, r.min())
    try:
        found, _ = curve_fit(sigma, d, r, p0=start, maxfev=20_000)
    except RuntimeError as error:
        raise NoFit("the unconstrained curve does not converge on these pairs") from error
    return lambda s: sigma(1 - s, *found)


def hard_labels(similarities: Floats, labels: Labels) -> Predictor:
    """0 or 1 by the threshold of best accuracy: what a verdict without a number claims."""
    threshold = grid_threshold(similarities, labels)
    return lambda s: (1 - s <= threshold).astype(np.float64)


def posterior(similarities: Floats, labels: Labels) -> tuple[Floats, Floats, Floats]:
    """Bin centres on d, P(same | bin) at equal priors (NaN where empty), and each bin's mass."""
    edges = np.linspace(0, 2, DISTANCE_BINS + 1)
    d = np.clip(1 - similarities, 0, 2)
    genuine = np.histogram(d[labels], edges)[0] / labels.sum()
    impostor = np.histogram(d[~labels], edges)[0] / (~labels).sum()
    mass = genuine + impostor
    r = np.divide(genuine, mass, out=np.full(DISTANCE_BINS, np.nan), where=mass > 0)
    return (edges[1:] + edges[:-1]) / 2, r, mass


def grid_threshold(similarities: Floats, labels: Labels) -> float:
    """The distance of best accuracy on the paper's grid 0, w, 2w, …; the first maximum."""
    grid = np.arange(DISTANCE_BINS) * (2 / DISTANCE_BINS)
    d = 1 - similarities
    true_accepts = np.searchsorted(np.sort(d[labels]), grid, side="right") / labels.sum()
    false_accepts = np.searchsorted(np.sort(d[~labels]), grid, side="right") / (~labels).sum()
    return float(grid[np.argmax(true_accepts - false_accepts)])
