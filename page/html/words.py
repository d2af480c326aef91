"""The page's fixed words, and how a word carries its meaning with it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from xfv_core.weights.manifest import ModelCard

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
METHODS = {"fggb": "gradients"}  # whose tab has another name
ABOUT = {
    "occlusion": "Parts of one face are covered, one after the other, and the similarity measured "
    "again. Where covering lowers it, the two faces look alike (green); where covering raises it, "
    "they differ (pink). After Knoche et al. 2023.",
    "fggb": "For each of the network's features: which pixels it hangs on, weighted by how much it "
    "speaks for or against a match. Finer than occlusion, and noisier. After Lu et al. 2024.",
    "patches": "Another network, whose similarity is nothing but the sum of what each patch of the "
    "face adds; no patch sees beyond its border. These maps are not an estimate, they are the "
    "summands. Select a patch to see what it matched. After Ozturk et al. 2025.",
    "parts": "Another network, trained so that each of its channels finds one part of the face, "
    "wherever it is. Take the channels of a part away, and see what the similarity loses. A "
    "covered part is hidden, not different; a part against matches worse than the rest of the "
    "face. This network is wrong more often than the default one: read its own verdict first. Our "
    "reading of Lin et al. 2023.",
}
LIMITS = """<footer class="xfv xfv-foot"><p><b>What this cannot do.</b> It is a demonstration, not a
basis for decisions about people. It does not notice a photo of a photo, a mask or a generated face
(no liveness check). The probability assumes equal odds and photos like those it was measured on:
celebrities in press photos. {groups} A map shows what moved this network's number, not what makes
two people alike.</p>
<p><b>Your photos</b> are held in memory, used for this comparison only, never logged and gone
within minutes. Use photos of people who agreed to it.</p></footer>"""
NOT_BY_GROUP = (
    "Face networks err more often for women, for children and for people under-represented in "
    "their training data; how much has not been measured here."
)
VIEWS = [
    ("evidence: what speaks for and against", "evidence"),
    ("raw: what adds to the similarity", "raw"),
]
MODES = [("all against all", 1), ("one covered, one whole", 2), ("both covered alike", 3)]


def about(method: str) -> str:
    """What a method does, in two sentences."""
    return f'<p class="xfv xfv-about">{ABOUT[method]}</p>'


def limits(card: ModelCard) -> str:
    """What nobody may expect; with what was measured of false matches by group."""
    return LIMITS.format(
        groups=_by_group(card.figures.groups) if card.figures.groups else NOT_BY_GROUP
    )


def _by_group(groups: Mapping[str, Any]) -> str:
    mixed, *cells = sorted(groups["cells"], key=lambda cell: "mixed" not in cell["name"])
    least, *_, most = sorted(cells, key=lambda cell: float(cell["fmr"]["balanced"]))
    shares = [f"{100 * cell['fmr']['balanced']:.0f} %" for cell in (mixed, least, most)]
    return (
        "On other photos it errs far more: among small web photos of all ages (UTKFace) it takes "
        f"{shares[0]} of strangers for one person, from {shares[1]} ({escape(least['name'])}) to "
        f"{shares[2]} ({escape(most['name'])}) of those alike in age or origin."
    )


def link(query: str) -> str:
    """A button that copies the address of this view."""
    return (
        f'<div class="xfv"><button type="button" class="xfv-link" data-link="{escape(query)}" '
        'title="Settings, and the pair if it is an example; never a photo of yours">'
        "Copy a link</button></div>"
    )


def tip(text: str, meaning: str) -> str:
    """A word or number whose meaning is one hover, tap or Tab away."""
    label = f'<button type="button" class="xfv-tip">{escape(text)}'
    return f'{label}<span role="tooltip">{escape(meaning)}</span></button>'
