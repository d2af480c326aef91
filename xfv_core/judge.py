"""From a similarity and what is known of both photos to a verdict."""

from __future__ import annotations

from xfv_core.confidence import Calibration, CalibrationError, decide_at
from xfv_core.confidence.measures import Measures
from xfv_core.confidence.verdicts import PairDecision, decide_pair, likelihood_ratio
from xfv_core.results import OWN, Noted, Verdict
from xfv_core.weights.manifest import ModelCard

Seen = tuple[Measures, Measures]


def threshold_of(card: ModelCard, rule: str, seen: Seen | None = None) -> float:
    """θ of a pair, or of ordinary photos without measures; the published one of a network that is
    not calibrated. CalibrationError for an unknown rule."""
    calibration = card.calibration
    if calibration is None:
        return card.indicative_similarity
    curve = calibration.conditional
    if curve is None or seen is None:
        return calibration.point(rule).threshold
    return float(curve.thresholds(curve.bars(seen[0].table(), seen[1].table()), rule)[0])


def verdict_on(
    card: ModelCard,
    similarity: float,
    pair: tuple[Noted, Noted],
    rule: str,
    threshold: float | None = None,
    seen: Seen | None = None,
) -> Verdict:
    """The verdict that a similarity (cosine) of two faces amounts to.

    ``threshold``: one's own instead of the rule's. ``seen``: measures of both photos, which the
    probability takes into account where the network's calibration does. CalibrationError for a
    threshold that no similarity can be.
    """
    if threshold is not None and not -1 <= threshold <= 1:  # nor is one that is no number
        raise CalibrationError(f"A threshold is a similarity from -1 to 1, not {threshold}.")
    notes = [
        f"{side} photo: {note}"
        for side, portrait in zip(("First", "Second"), pair, strict=True)
        for note in portrait.notes
    ]
    calibration = card.calibration
    if calibration and calibration.conditional and seen:
        found = decide_pair(calibration.conditional, similarity, seen, rule, threshold)
        name = rule if threshold is None else OWN
        return _conditional(card, calibration, similarity, found, name, pair, notes, seen)
    return _plain(card, similarity, rule, threshold, pair, notes)


def _plain(
    card: ModelCard,
    similarity: float,
    rule: str,
    threshold: float | None,
    pair: tuple[Noted, Noted],
    notes: list[str],
) -> Verdict:
    """By the similarity alone."""
    calibration = card.calibration
    name = OWN if threshold is not None else rule if calibration else "indicative"
    threshold = threshold_of(card, rule) if threshold is None else threshold
    if calibration is None:
        same, p, confidence = similarity >= threshold, None, None
    else:
        same, p, confidence = decide_at(calibration, similarity, threshold)
    lr, log_lr = (None, None) if p is None else likelihood_ratio(p)
    return Verdict(
        similarity=similarity,
        distance=1 - similarity,
        threshold=threshold,
        same=same,
        probability_same=p,
        confidence=confidence,
        operating_point=name,
        model=card.name,
        calibrated=calibration is not None,
        faces=(pair[0].chosen, pair[1].chosen),
        found=(pair[0].found, pair[1].found),
        notes=tuple(notes),
        answer="same" if same else "different",
        likelihood_ratio=lr,
        log10_lr=log_lr,
        lr_bound=bound(calibration.cap) if calibration else None,
    )


def _conditional(
    card: ModelCard,
    calibration: Calibration,
    similarity: float,
    found: PairDecision,
    rule: str,
    pair: tuple[Noted, Noted],
    notes: list[str],
    seen: Seen,
) -> Verdict:
    assert calibration.conditional is not None
    lr, log_lr = likelihood_ratio(found.probability_same)
    return Verdict(
        similarity=similarity,
        distance=1 - similarity,
        threshold=found.threshold,
        same=found.same,
        probability_same=found.probability_same,
        confidence=found.confidence,
        operating_point=rule,
        model=card.name,
        calibrated=True,
        faces=(pair[0].chosen, pair[1].chosen),
        found=(pair[0].found, pair[1].found),
        notes=(*notes, *found.notes),
        answer=found.answer,
        usual_threshold=found.usual,
        says_nothing=(found.lower, found.upper),
        slope=found.slope,
        measures=seen,
        moved=found.moved,
        likelihood_ratio=lr,
        log10_lr=log_lr,
        lr_bound=bound(calibration.conditional.cap),
    )


def bound(cap: float) -> float:
    """The largest LR that a cap on the probability leaves."""
    return cap / (1 - cap)
