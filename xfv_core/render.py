"""HTML for what the verifier says: the answer, the maps, the limits. Strings in, strings out.

Everything that did not come from this file is escaped; pictures travel inside the page as data
URLs, so that no photo gets a file of its own.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from xfv_core.confidence import Calibration
from xfv_core.fidelity import RATIOS, Fidelity
from xfv_core.manifest import ModelCard
from xfv_core.overlay import encode, legend_html
from xfv_core.results import Explanation, Side, Surface, Verdict, percent

POINTS = {
    "balanced": "Equal odds (verdict and probability agree)",
    "best_accuracy": "Fewest errors on the calibration pairs",
    "eer": "As many false matches as false non-matches",
    "fmr_1e-2": "1 false match in 100 strangers",
    "fmr_1e-3": "1 false match in 1,000 strangers",
}
HEADER = """<header class="xfv xfv-head"><h1>xfv</h1>
<p>Are these two faces the same person, how sure is that, and why?</p></header>"""
WHY = '<div class="xfv"><h2>Why?</h2></div>'
ABOUT = {
    "occlusion": "Parts of one face are covered, one after the other, and the similarity measured "
    "again. Where covering lowers it, the two faces look alike (green); where covering raises it, "
    "they differ (pink). After Knoche et al. 2023.",
    "fggb": "For each of the network's features: which pixels it hangs on, weighted by how much it "
    "speaks for or against a match. Finer than occlusion, and noisier. After Lu et al. 2024.",
}
LIMITS = """<footer class="xfv xfv-foot"><p><b>What this cannot do.</b> It is a demonstration, not a
basis for decisions about people. It does not notice a photo of a photo, a mask or a generated face
(no liveness check). The probability assumes equal odds and photos like those it was measured on:
celebrities in press photos. Face networks err more often for women, for children and for people
under-represented in their training data; how much has not been measured here for every group. A
map shows what moved this network's number, not what makes two people alike.</p>
<p><b>Your photos</b> are held in memory, used for this comparison only, never logged and gone
within minutes. Use photos of people who agreed to it.</p></footer>"""


MODES = [("all against all", 1), ("one covered, one whole", 2), ("both covered alike", 3)]


def about(method: str) -> str:
    """What a method does, in two sentences."""
    return f'<p class="xfv xfv-about">{ABOUT[method]}</p>'


def tip(text: str, meaning: str) -> str:
    """A word or number whose meaning is one hover, tap or Tab away."""
    label = f'<button type="button" class="xfv-tip">{escape(text)}'
    return f'{label}<span role="tooltip">{escape(meaning)}</span></button>'


# ---------------------------------------------------------------------------------- the answer


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
        source = (card.indicative_threshold or {})["source"]
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


# ------------------------------------------------------------------------------------ the maps


def waiting(message: str = "The maps appear here once two faces are compared.") -> str:
    """The reserved space of the maps, with a sentence instead."""
    frames = (
        f'<div class="xfv-view waiting">{escape(message)}</div><div class="xfv-view waiting"></div>'
    )
    return f'<div class="xfv xfv-maps"><div class="xfv-pair">{frames}</div></div>'


def maps(explanation: Explanation) -> str:
    """Both photos under their maps, the legend, what the maps show and how far to trust them.

    The strength of the colours is the page's CSS variable ``--xfv-strength``: photo and overlay
    lie on top of each other, so that the slider needs no answer from the server.
    """
    final = explanation.fidelity is not None
    views = _pair(explanation, "crop") + (_pair(explanation, "photo") if final else "")
    legend = legend_html(explanation.scale, explanation.maps.unit)
    done = round(100 * explanation.maps.progress)
    below = (
        _trust(explanation)
        if final
        else f'<div class="xfv-bar"><i style="width:{done}%"></i></div>'
    )
    return (
        f'<figure class="xfv xfv-maps" aria-busy="{str(not final).lower()}">{views}'
        f'<div class="xfv-legend">{legend}</div>'
        f'<figcaption class="say">{escape(explanation.sentence)}</figcaption>{below}</figure>'
    )


def _pair(explanation: Explanation, on: Surface) -> str:
    sides: tuple[Side, Side] = ("a", "b")
    views = "".join(_view(explanation, side, on) for side in sides)
    return f'<div class="xfv-pair on-{on}">{views}</div>'


def _view(explanation: Explanation, side: Side, on: Surface) -> str:
    plain = data_url(explanation.overlay(side, on=on, strength=0))
    coloured = data_url(explanation.overlay(side, on=on, strength=1))
    which = "First" if side == "a" else "Second"
    return (
        f'<div class="xfv-view"><img src="{plain}" alt="{which} photo">'
        f'<img class="over" src="{coloured}" alt="Map over the {which.lower()} photo"></div>'
    )


def _trust(explanation: Explanation) -> str:
    fidelity, cost = explanation.fidelity, explanation.maps.cost
    assert fidelity is not None
    beaten = round(fidelity.deletion_beaten * fidelity.n_random)
    chance = tip(
        "chance",
        f"{fidelity.n_random} random smooth maps. Gain: area between the curves when 0 to 100 % of "
        "the face is blackened, in the order of the map; ± is the spread of the random maps.",
    )
    said = escape(fidelity.sentence).replace("chance", chance)
    than_random = (
        "" if fidelity.empty else f" It beats {beaten} of {fidelity.n_random} random maps."
    )
    return (
        f'<div class="trust">{said}{than_random}'
        f"<details><summary>Show the curves</summary>{curves(fidelity)}</details></div>"
        f'<p class="cost">{cost.passes:,} network passes, {cost.seconds:.1f} s</p>'
    )


def curves(fidelity: Fidelity) -> str:
    """SVG: the similarity while more and more of the face is hidden, by this map and by chance."""
    width, height = 400, 150
    low = min(0.0, float(fidelity.deletion.min()), float(fidelity.chance.min()))
    high = max(float(fidelity.deletion.max()), float(fidelity.chance.max()), low + 0.1)

    def line(values: NDArray[np.float64], style: str) -> str:
        points = " ".join(
            f"{x * width:.1f},{(high - y) / (high - low) * height:.1f}"
            for x, y in zip(RATIOS, values, strict=True)
        )
        return f'<polyline points="{points}" fill="none" {style}/>'

    return (
        f'<svg class="xfv-curve" viewBox="0 -14 {width} {height + 36}" role="img" '
        f'aria-label="Deletion curves">'
        + line(fidelity.chance, 'stroke="var(--soft)" stroke-width="2" stroke-dasharray="5 4"')
        + line(fidelity.deletion, 'stroke="var(--accent)" stroke-width="2.5"')
        + f'<path d="M0 {height}H{width}" stroke="var(--line)"/>'
        f'<text x="0" y="-4">similarity {high:.2f}</text>'
        f'<text x="{width}" y="-4" text-anchor="end">this map: solid · chance: dashed</text>'
        f'<text x="0" y="{height + 16}">nothing hidden</text>'
        f'<text x="{width}" y="{height + 16}" text-anchor="end">everything hidden</text></svg>'
    )


def data_url(image: NDArray[np.uint8]) -> str:
    """uint8 (H,W,3) as a JPEG data URL."""
    return "data:image/jpeg;base64," + base64.b64encode(encode(image, "jpeg")).decode()
