"""The one object that the page, the command line and the API use: photos in, verdict and maps out.

What is learnt from a photo (faces, embeddings, maps) is kept in memory only, under the hash of its
pixels, for a few minutes; nothing is written and nothing is logged.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import partial
from typing import Any

import numpy as np

from xfv_core.ask import Ask, Source
from xfv_core.confidence import Calibration
from xfv_core.confidence.measures import Measures
from xfv_core.explain import Maps, Method
from xfv_core.explain.base import Steps
from xfv_core.explain.fidelity import agreement
from xfv_core.explain.judged import ExplainCrops, Judged, explain_crops
from xfv_core.judge import Seen, threshold_of, verdict_on
from xfv_core.look import Looked, look
from xfv_core.models import FaceEmbedder
from xfv_core.portraits import KEEP_SECONDS, Portraits
from xfv_core.priority import Precedence
from xfv_core.results import Explanation, Pair, Portrait, Verdict, explanation_of
from xfv_core.weights.hub import Progress
from xfv_core.weights.hub import Source as WeightSource
from xfv_core.weights.manifest import Manifest


class Verifier(Portraits):
    """Loads models once, remembers photos briefly; safe to call from several threads."""

    def __init__(
        self,
        *,
        manifest: Manifest | None = None,
        source: WeightSource = "auto",
        device: str | None = None,
        explain_elsewhere: ExplainCrops | None = None,
        keep_seconds: float = KEEP_SECONDS,
    ) -> None:
        """``device``: a GPU where there is one, unless given. ``keep_seconds``: how long faces,
        embeddings and maps are remembered.

        ``explain_elsewhere``: `explain.judged.explain_crops` in another process, with the name of a
        model in the place of the network. Raises NetworkError where the manifest names a network
        that there cannot be.
        """
        super().__init__(manifest, source, device, keep_seconds)
        self._elsewhere = explain_elsewhere
        self._verdicts = Precedence()

    def calibration(self, name: str) -> Calibration | None:
        """The model's calibration, None where nobody has measured one."""
        return self.manifest.card(name).calibration

    def verify(
        self,
        a: Source,
        b: Source,
        *,
        model: str | None = None,
        operating_point: str = "balanced",
        threshold: float | None = None,
        pick: tuple[int, int] = (0, 0),
        progress: Progress | None = None,
    ) -> Verdict:
        """Are ``a`` and ``b`` the same person?

        ``pick``: which face of each photo, 0 the largest. ``threshold``: a similarity that decides
        instead of the operating point's. Raises XfvError with one sentence: an unreadable photo, no
        face, an unknown model or operating point, weights out of reach.
        """
        return self.answer(Ask((a, b), pick, model, operating_point, threshold), progress)

    def answer(self, ask: Ask, progress: Progress | None = None) -> Verdict:
        """``verify`` of what is asked."""
        name = ask.model or self.manifest.default
        self.model(name, progress)
        with self._verdicts:
            pair = self.pair(*ask.photos, name, ask.pick)
            return self.verify_portraits(pair, name, ask.rule, ask.threshold)

    def verify_portraits(
        self, pair: Pair, model: str, operating_point: str, threshold: float | None = None
    ) -> Verdict:
        """``verify`` for two faces that are already cut as ``model`` wants them."""
        with self._verdicts:
            one, other = (self._looked(portrait, self.model(model))[0] for portrait in pair)
        similarity = float(np.clip(one @ other, -1, 1))
        return self.judge(similarity, pair, model, operating_point, threshold)

    def threshold(self, model: str, operating_point: str, seen: Seen | None = None) -> float:
        """θ of a pair with these measures, without them of ordinary photos; the published one of a
        model that is not calibrated."""
        return threshold_of(self.manifest.card(model), operating_point, seen)

    def judge(
        self,
        similarity: float,
        pair: Pair,
        model: str,
        operating_point: str,
        threshold: float | None = None,
        seen: Seen | None = None,
    ) -> Verdict:
        """The verdict that a similarity (cosine) of two faces amounts to.

        ``seen``: their measures, where they are known already.
        """
        seen = seen or self.seen(pair, model)
        card = self.manifest.card(model)
        return verdict_on(card, similarity, pair, operating_point, threshold, seen)

    def seen(self, pair: Pair, model: str) -> Seen | None:
        """The measures of both photos, None where the model's probability takes none."""
        one, other = (self.measures(portrait, model) for portrait in pair)
        return (one, other) if one and other else None

    def measures(self, portrait: Portrait, model: str, *, remember: bool = True) -> Measures | None:
        """What the model and the pixels say about one photo's face."""
        if remember:
            return self._looked(portrait, self.model(model))[1]
        return look(portrait, self.model(model), self.cohort(model))[1]

    def explain(
        self,
        a: Source,
        b: Source,
        *,
        model: str | None = None,
        method: str = "occlusion",
        operating_point: str = "balanced",
        threshold: float | None = None,
        pick: tuple[int, int] = (0, 0),
        **options: Any,
    ) -> Iterator[Explanation]:
        """Ever better maps of one pair; the last also carries its measured fidelity.

        ``options`` are those of the method (for occlusion: preset, mode, shape, fill; for patches:
        view). Without ``model`` the first one that the method can explain. Raises as ``verify``
        does, and XfvError for an unknown method or option, or one that does not fit the model.
        """
        ask = Ask((a, b), pick, model, operating_point, threshold, method, options)
        yield from self.reasons(ask)

    def reasons(self, ask: Ask, steps: Steps | None = None) -> Iterator[Explanation]:
        """``explain`` of what is asked.

        ``steps`` is called after every batch of passes; what it raises ends the work.
        """
        method = ask.explainer()
        name = ask.model or self.default_model(ask.method)
        self.model(name)
        with self._verdicts:
            pair = self.pair(*ask.photos, name, ask.pick)
        yield from self.explain_portraits(pair, name, method, ask.rule, ask.threshold, steps)

    def explain_portraits(
        self,
        pair: Pair,
        name: str,
        method: Method,
        operating_point: str,
        threshold: float | None = None,
        steps: Steps | None = None,
    ) -> Iterator[Explanation]:
        """``explain`` for two faces that are already cut as the model ``name`` wants them."""
        verdict = self.verify_portraits(pair, name, operating_point, threshold)
        for judged in self._judged(pair, name, method, verdict, steps):
            agreed = self._agreement(judged.maps, pair) if judged.fidelity else None
            yield explanation_of(verdict, judged.maps, pair, judged.fidelity, agreed)

    def explained(self, a: Source, b: Source, **request: Any) -> Explanation:
        """The last of ``explain``: final maps with their fidelity."""
        *_, last = self.explain(a, b, **request)
        return last

    def _looked(self, portrait: Portrait, network: FaceEmbedder) -> Looked:
        return self._recent.get(
            ("embedding", portrait.identity, network.name),
            lambda: look(portrait, network, self.cohort(network.name)),
        )

    def _judged(
        self, pair: Pair, name: str, method: Method, verdict: Verdict, steps: Steps | None
    ) -> Iterator[Judged]:
        """Remembered, or made now; the curves of chance are shared by all methods of a pair."""
        key = ("maps", _identity(pair), name, verdict.threshold, method.name, repr(method))
        if (known := self._recent.peek(key)) is not None:
            yield known
            return
        by_chance = ("chance", _identity(pair), name)
        explain = self._elsewhere or partial(self._explain_here, steps)
        for judged in explain(
            name, *(portrait.tensor() for portrait in pair), method,
            threshold=verdict.threshold, same=verdict.same, chance=self._recent.peek(by_chance),
        ):  # fmt: skip
            if judged.fidelity:
                self._recent.put(key, judged)
                self._recent.put(by_chance, judged.chance)
            yield judged

    def _explain_here(
        self, steps: Steps | None, name: str, *crops: Any, **judged: Any
    ) -> Iterator[Judged]:
        def paced(share: float) -> None:
            self._verdicts.give_way()
            if steps:
                steps(share)

        return explain_crops(self.model(name), *crops, **judged, steps=paced)

    def _agreement(self, maps: Maps, pair: Pair) -> dict[str, float]:
        """Rank correlation with the last maps that other methods, and other networks, made of the
        same crops; by method, and the network's title where it is another."""
        spec, shown = self.manifest.card(maps.model).input, maps.shown()
        key = ("methods", _identity(pair), spec.size, spec.crop, spec.margin)
        own = (maps.method, maps.model)
        known: dict[tuple[str, str], Maps] = self._recent.update(
            key, lambda before: {**(before or {}), own: shown}
        )
        found = {
            self._called(*each, maps.model): agreement(shown, other)
            for each, other in known.items()
            if each != own
        }
        return {name: rho for name, rho in found.items() if rho is not None}

    def _called(self, method: str, model: str, here: str) -> str:
        return method if model == here else f"{method} ({self.manifest.card(model).title})"


def _identity(pair: Pair) -> Hashable:
    return tuple(portrait.identity for portrait in pair)
