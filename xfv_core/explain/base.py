"""What every method of explanation is: options in, signed maps out, no colours.

A method is one file: a subclass of :class:`Method` under :func:`xfv_core.explain.register`. It says
what it is called and what it needs, and writes ``maps``; everything else is done here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from time import perf_counter
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from xfv_core.errors import XfvError
from xfv_core.explain.options import Option, options_of
from xfv_core.explain.views import View
from xfv_core.models.base import FaceEmbedder, count_passes

SIDE = 112  # px; what the widths below are stated at
SMOOTH_SIGMA, SMOOTH_RADIUS = 5.0, 12  # px at SIDE; the 25x25 Gaussian of FGGB's public code

Steps = Callable[[float], None]
Audience = Literal["page", "api", "study"]
_M = TypeVar("_M", bound="Method")


class MethodError(XfvError):
    """A method, or an option of it, that does not exist, or that does not fit the network."""


@dataclass(frozen=True)
class Cost:
    """What a map cost: network passes (forward, backward: one each per image) and seconds.

    A pass counts as one even where most of it was reused from another.
    """

    passes: int
    seconds: float


class Reading(ABC):
    """What a method reads off a pair besides its maps: the summands, say, or the parts."""

    @abstractmethod
    def words(self, of_maps: str) -> str:
        """The explanation in words; ``of_maps`` is what the maps alone show."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""


@dataclass(frozen=True, eq=False)
class Maps:
    """One signed map per photo, on the crop the network saw.

    ``a`` and ``b`` are float32 (H,W); > 0 marks what makes the pair similar, < 0 what makes it
    dissimilar, in the unit that ``unit`` names. A streaming method sets ``progress`` in (0,1];
    the last map it yields has ``progress == 1``. ``raw``: gradients, to be smoothed where they are
    shown; ``shown_px``: the pixels whose sum is shown as one value (1: the values themselves).
    ``view``: "evidence" where 0 is a pair at the threshold, "raw" where it is no effect.
    """

    a: NDArray[np.float32]
    b: NDArray[np.float32]
    method: str
    model: str
    cost: Cost
    unit: str = ""
    progress: float = 1.0
    raw: bool = False
    shown_px: int = 1
    view: View = "raw"
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reading(self) -> Reading | None:
        """What the method says itself, None where it gives maps only."""
        return next((value for value in self.details.values() if isinstance(value, Reading)), None)

    def shown(self) -> Maps:
        """The maps as they are shown; metrics judge the values themselves."""
        a, b = (smooth(values) if self.raw else values for values in (self.a, self.b))
        return replace(self, a=a * self.shown_px, b=b * self.shown_px)


def smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A raw map (H,W) as it is shown: Gaussian of σ 5 px at H = 112, mirrored at the border."""
    scale = values.shape[0] / SIDE
    radius = max(1, round(SMOOTH_RADIUS * scale))
    return gaussian_filter(values, SMOOTH_SIGMA * scale, mode="mirror", radius=radius)


@dataclass(frozen=True, eq=False)
class Values:
    """What a method yields.

    maps : (2,S,S), of the first and of the second photo.
    passes : so far, forward and backward; None where all went through ``embed_all``, which counts.
    cell : side, px, of the squares whose sum is shown as one value (1: the values themselves).
    details : more to know; a :class:`Reading` among them puts the explanation into its own words.
    """

    maps: NDArray[np.float32]
    passes: int | None = None
    cell: int = 1
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method(ABC):
    """A method with its options set; a call gives ever better maps of one pair, the last is final.

    Subclasses are frozen dataclasses whose fields are the options (see ``option``).

    name : by which it is asked for.    title : one or two words for a heading.
    about : two sentences for people who never heard of it.    paper : authors, year, number.
    unit : of the values.
    offered : to whom: "page" (visitors, and programs too), "api" (programs), "study" (baselines).
    place : among the others in a list, low first.
    needs : the class or capability (``models/base.py``) that a network must have.
    unfit : the sentence for one that has not; ``{model}`` stands for its name.
    studied : the settings that studies compare, as in ``name:setting``; () for the method as it is.
    raw : the maps are gradients, which are smoothed where they are shown.
    cost : how many times the work of a standard occlusion map; visitors' limits count it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    paper: ClassVar[str] = ""
    offered: ClassVar[Audience] = "page"
    place: ClassVar[int] = 100
    needs: ClassVar[type] = object
    unfit: ClassVar[str] = "{model} cannot be explained by this method; choose another."
    raw: ClassVar[bool] = False
    studied: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for each in self.options():
            if problem := each.problem(getattr(self, each.name)):
                raise MethodError(f"No {self.name} {problem}")

    @property
    @abstractmethod
    def unit(self) -> str: ...

    @property
    def cost(self) -> int:
        return 1

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """What can be asked of it, in order."""
        return options_of(fields(cls))

    @classmethod
    def having(cls: type[_M], **options: Any) -> _M:
        """The method with these options; MethodError where there is no such option or value."""
        known = [option.name for option in cls.options()]
        if unknown := sorted(set(options) - set(known)):
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise MethodError(f"{cls.name} has no option {unknown[0]!r}; {has}.")
        return cls(**options)

    @classmethod
    def fits(cls, network: FaceEmbedder | type) -> bool:
        """Whether a network, or the class of one that is not loaded yet, can be explained by it."""
        if isinstance(network, type):
            return issubclass(network, cls.needs)
        return isinstance(network, cls.needs)

    @abstractmethod
    def maps(self, model: Any, pair: Tensor, threshold: float, steps: Steps) -> Iterator[Values]:
        """Ever better maps of ``pair``, (2,3,S,S) RGB in [0,1] on the device of ``model``, which
        is a ``FaceEmbedder`` that has what the method needs.

        ``threshold``: θ on the cosine similarity. ``steps`` is called with the finished share,
        in (0,1], after every batch; it may raise to stop the work. The maps that follow a share
        of 1 are the last, and so are the first of a method that never calls it.
        """

    def __call__(
        self,
        model: FaceEmbedder,
        a: Tensor,
        b: Tensor,
        *,
        threshold: float = 0.0,
        steps: Steps | None = None,
    ) -> Iterator[Maps]:
        """Maps of ``a`` and ``b``, (3,S,S) RGB in [0,1]; their cost leaves out the seconds that the
        caller and ``steps`` take. MethodError for a network that it does not fit, and where it
        makes no maps."""
        if not self.fits(model):
            raise MethodError(self.unfit.format(model=model.name))
        work = _Work(steps)
        pair = torch.stack([a, b]).to(model.device)
        values, finished = self.maps(model, pair, threshold, work.done), False
        while not finished:
            if (found := work.next(values)) is None:
                raise MethodError(f"{self.title} ended before its maps were finished.")
            if finished := work.share == 1:
                # however long maps wait: frees what the method kept of the photos
                values = iter(())
            yield self._packed(model, found, work)

    def _packed(self, model: FaceEmbedder, found: Values, work: _Work) -> Maps:
        a, b = np.asarray(found.maps, np.float32)
        per = f", per {found.cell} x {found.cell} px" if found.cell > 1 else ""
        passes = work.passes if found.passes is None else found.passes
        return Maps(
            a, b, self.name, model.name, Cost(passes, work.seconds), self.unit + per,
            work.share, self.raw, found.cell**2, getattr(self, "view", "raw"), found.details,
        )  # fmt: skip


class _Work:
    """Share, seconds and passes of what a method has done so far."""

    def __init__(self, steps: Steps | None) -> None:
        self._steps, self._began = steps, 0.0
        self.share, self.seconds, self.passes = 0.0, 0.0, 0

    def next(self, values: Iterator[Values]) -> Values | None:
        """The next maps, None after the last."""
        self._began = perf_counter()
        with count_passes() as passes:
            found = next(values, None)
        self.passes += passes.count
        self.seconds += perf_counter() - self._began
        if found is not None and not self.share:  # it never said how far it is
            self.done(1.0)
        return found

    def done(self, share: float) -> None:
        self.share = share
        if self._steps:
            paused = perf_counter()
            self._steps(share)
            self._began += perf_counter() - paused


def distance(u: Tensor, v: Tensor) -> Tensor:
    """1 - u·v of unit vectors, as |u - v|²/2: exactly 0 for equal ones, never below."""
    return (u - v).square().sum(-1) / 2
