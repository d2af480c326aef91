"""A report to keep: one HTML file with everything inside it, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from page.html.answer import answer
from page.html.maps import maps
from page.html.pictures import data_url
from page.html.words import ABOUT, limits
from xfv_core import __version__
from xfv_core.confidence import Calibration
from xfv_core.results import Explanation, Portrait
from xfv_core.weights.manifest import ModelCard

TITLES = {
    "occlusion": "Occlusion", "fggb": "Gradients", "patches": "Patches", "parts": "Parts",
}  # fmt: skip
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
STYLE = """
body { margin: 0 auto; max-width: 880px; padding: 28px 20px 40px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
:root { --paper: #fff; color-scheme: light; }
.photos img { height: 300px; object-fit: contain; }
h2 { font-size: 20px; margin: 34px 0 4px; }
.strength { display: flex; gap: 10px; align-items: center; color: var(--soft); }
@media print { .strength, .xfv-match { display: none; } h2, figure { break-inside: avoid; } }
"""
STRENGTH = (
    '<label class="strength">Strength of the colours <input type="range" min="0" max="100" '
    'value="85" oninput="document.documentElement.style.setProperty('
    "'--xfv-strength', this.value / 100)\"></label>"
)


def report(
    explanations: Sequence[Explanation],
    card: ModelCard,
    calibration: Calibration | None,
    *,
    made: datetime,
    style: str,
    scripts: Sequence[str],
) -> str:
    """The verdict of the first explanation, then every explanation in full.

    ``card``, ``calibration``: of the first one's model; ``style`` and ``scripts`` are those of the
    page. A policy inside the file forbids it to fetch anything.
    """
    first = explanations[0]
    sections = "".join(
        f"<h2>{TITLES.get(e.maps.method, escape(e.maps.method))}</h2>"
        f'<p class="xfv xfv-about">{ABOUT.get(e.maps.method, "")}</p>'
        f'<div class="xfv-holder">{maps(e, whole_photo=False)}</div>'
        for e in explanations
    )
    run = "".join(f"<script>({script})();</script>" for script in scripts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>xfv: {first.verdict.words}</title><style>{style}{STYLE}</style></head><body>"
        f'<header class="xfv xfv-head"><h1>xfv</h1><p>Report of {made:%Y-%m-%d %H:%M %Z}, '
        f"xfv {__version__}</p></header>"
        f"{_faces(first.portraits)}{answer(first.verdict, card, calibration)}{STRENGTH}{sections}"
        f"{_versions(explanations, card)}{limits(card)}{run}</body></html>"
    )


def _faces(portraits: tuple[Portrait, Portrait]) -> str:
    views = "".join(
        f'<div class="xfv-view"><img src="{data_url(portrait.shown_photo()[0])}" '
        f'alt="{which} photo"></div>'
        for portrait, which in zip(portraits, ("First", "Second"), strict=True)
    )
    return f'<div class="xfv photos"><div class="xfv-pair">{views}</div></div><p></p>'


def _versions(explanations: Sequence[Explanation], card: ModelCard) -> str:
    others = {e.maps.model for e in explanations} - {card.name}
    more = f" Maps of {', '.join(sorted(others))} explain that network's own verdict."
    return (
        f'<p class="xfv xfv-by">Verdict by {escape(card.title)} ({card.name}), weights sha256 '
        f"<code>{card.sha256[:16]}…</code>.{more if others else ''}</p>"
    )
