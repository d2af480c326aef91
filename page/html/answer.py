"""The verdict in words and numbers, and the pair's place among known pairs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from page.html.words import POINTS, tip
from xfv_core.confidence import Calibration
from xfv_core.results import Verdict, percent
from xfv_core.weights.manifest import ModelCard


def empty_answer(one_photo: bool = False) -> str:
    """The invitation, before there are two photos."""
    text = "Now the second face." if one_photo else "Drop two faces, or try an example."
    more = "Upload, paste or take a photo on each side; the answer comes by itself."
    return _answer("empty", f'<p class="verdict">{text}</p><p class="basis">{more}</p>')


def problem(message: str) -> str:
    """Why there is no answer; one sentence that says what to do."""
    return _answer("problem", f'<p class="verdict" role="alert">{escape(message)}</p>')


def answer(verdict: Verdict, card: ModelCard, calibration: Calibration | None) -> str:
    """The verdict in one sentence, what it rests on, and the pair's place among known pairs."""
    left = f'<p class="verdict">{verdict.words}</p><p class="sure">{verdict.certainty}</p>'
    left += f'<p class="basis">{_basis(verdict, card, calibration)}</p>'
    right = axis(verdict, calibration) if calibration else ""
    right += _numbers(verdict, card) + _notes(verdict.notes)
    return _answer("", f"<div>{left}</div><div>{right}</div>")


def _answer(kind: str, body: str) -> str:
    return f'<section class="xfv xfv-answer {kind}" aria-live="polite">{body}</section>'


def _basis(verdict: Verdict, card: ModelCard, calibration: Calibration | None) -> str:
    if calibration is None:
        source = card.indicative_threshold.source if card.indicative_threshold else ""
        return escape(
            f"This model has not been calibrated here, so there is no percentage; the threshold is "
            f"an indicative one ({source})."
        )
    n = calibration.n_genuine + calibration.n_impostor
    odds = tip(
        "at equal odds",
        "The probability holds if, before looking, a match is as likely as not. Where strangers "
        "are more common than matches, the true probability is lower.",
    )
    off = tip(
        f"off by {calibration.scores.ece * 100:.1f} points on average",
        f"Expected calibration error: stated against observed frequency, {n:,} pairs, each judged "
        "by a curve that had not seen it.",
    )
    return f"P(same person) {percent(verdict.probability_same or 0)} {odds}, measured on " + (
        f"{escape(calibration.dataset)} ({n:,} pairs); {off}."
    )


def _numbers(verdict: Verdict, card: ModelCard) -> str:
    point = POINTS.get(verdict.operating_point, "Indicative, from the literature")
    rows = (
        (tip("Similarity", "Cosine of the two embeddings: 1 same direction, 0 unrelated."),
         f"{verdict.similarity:.3f}"),
        (tip("Threshold", f"Same person from here on. Rule: {point}."), f"{verdict.threshold:.3f}"),
        ("Model", escape(card.title)),
    )  # fmt: skip
    return '<dl class="numbers">' + "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows
    ) + "</dl>"  # fmt: skip


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="xfv-notes">{items}</ul>' if items else ""


def axis(verdict: Verdict, calibration: Calibration) -> str:
    """SVG: where this pair lies among the calibration pairs' similarities (x from -0.4 to 1)."""
    width, base, high, low = 560, 78, 58, -0.4

    def x(similarity: float) -> float:
        return float((np.clip(similarity, low, 1) - low) / (1 - low) * width)

    def hill(counts: Sequence[int], color: str) -> str:
        edges = np.linspace(-1, 1, len(counts) + 1)
        centres, top = (edges[1:] + edges[:-1]) / 2, max(counts)
        points = [(x(c), base - n / top * high) for c, n in zip(centres, counts, strict=True)]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points if px > 0)
        outline = f"0,{base} {path} {width},{base}"
        return f'<polygon points="{outline}" fill="var(--{color})" opacity=".55"/>'

    here, theta = x(verdict.similarity), x(verdict.threshold)
    anchor = "start" if here < 70 else "end" if here > width - 70 else "middle"
    title = (
        f"Similarity {verdict.similarity:.2f}, threshold {verdict.threshold:.2f}; "
        f"strangers lie left, same-person pairs right"
    )
    return (
        f'<svg class="xfv-axis" viewBox="0 -16 {width} 118" role="img" aria-label="{title}">'
        + hill(calibration.histogram.impostor, "impostor")
        + hill(calibration.histogram.genuine, "genuine")
        + f'<path d="M0 {base}H{width}" stroke="var(--line)"/>'
        f'<path d="M{theta:.1f} {base - high}V{base + 4}" stroke="var(--soft)" '
        f'stroke-dasharray="4 3"/>'
        f'<path d="M{here:.1f} 2V{base + 4}" stroke="var(--accent)" stroke-width="2.5"/>'
        f'<text class="here" x="{here:.1f}" y="-4" text-anchor="{anchor}">this pair</text>'
        f'<text x="0" y="{base + 20}">different people</text>'
        f'<text x="{theta:.1f}" y="{base + 20}" text-anchor="middle">threshold</text>'
        f'<text x="{width}" y="{base + 20}" text-anchor="end">same person</text></svg>'
    )
