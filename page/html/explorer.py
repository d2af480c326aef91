"""A gallery to look through: what it amounts to, a page of its pairs, one pair at the top."""

from __future__ import annotations

import base64
from html import escape

import numpy as np
from numpy.typing import NDArray

from page.html import charts
from page.html.words import tip
from xfv_core.confidence import CROPS
from xfv_core.confidence.scores import error_rates, reliability, wilson
from xfv_core.gallery import Gallery, Verdicts
from xfv_core.results import percent

PER_PAGE = 24
JPEG = b"\xff\xd8\xff"


def overview(gallery: Gallery, model: str) -> str:
    """Counts, error rates and three charts over all pairs of one model."""
    verdicts, found = gallery.verdicts(model), gallery.results(model)
    drawn = [charts.distributions(verdicts.similarity, verdicts.genuine, found.threshold)]
    if _has_both(verdicts):
        drawn.append(charts.roc(verdicts.similarity, verdicts.genuine))
    known = ~np.isnan(verdicts.probability)
    if known.any():
        drawn.append(
            charts.reliability(reliability(verdicts.probability[known], verdicts.genuine[known]))
        )
    crops = CROPS.get(gallery.info.path, "")
    basis = (
        f"{escape(gallery.info.name)}, {crops}; decided at the threshold {found.threshold:.3f}. "
        f"Maps are stored for all errors and {gallery.info.sample} more pairs; others are computed "
        "when they are opened."
    )
    lost = len(gallery.info.lost)
    basis += f" {lost:,} photos without a face are left out." if lost else ""
    return (
        f'<section class="xfv xfv-overview"><dl class="numbers">{_numbers(verdicts)}</dl>'
        f'<div class="charts">{"".join(drawn)}</div><p class="basis">{basis}</p></section>'
    )


def grid(gallery: Gallery, model: str, rows: NDArray[np.intp], page: int) -> str:
    """``PER_PAGE`` of the chosen pairs as buttons, and a way to the others."""
    if not len(rows):
        return '<div class="xfv xfv-grid"><p class="basis">No pair is like that.</p></div>'
    verdicts = gallery.verdicts(model)
    page = min(max(page, 0), (len(rows) - 1) // PER_PAGE)
    shown = rows[page * PER_PAGE : (page + 1) * PER_PAGE]
    cards = "".join(_card(gallery, model, verdicts, int(row)) for row in shown)
    first = page * PER_PAGE + 1
    turn = "".join(
        f'<button type="button" data-page="{to}"{"" if there else " disabled"}>{words}</button>'
        for to, words, there in (
            (page - 1, "Previous", page > 0),
            (page + 1, "Next", page * PER_PAGE + len(shown) < len(rows)),
        )
    )
    return (
        f'<div class="xfv xfv-grid"><ol>{cards}</ol><nav aria-label="Pages of pairs">'
        f"<span>{first:,} to {first + len(shown) - 1:,} of {len(rows):,} pairs</span>{turn}"
        "</nav></div>"
    )


def opened(gallery: Gallery, model: str, row: int) -> str:
    """Which pair is shown, its label and its verdict; the maps come below."""
    verdicts, verdict = gallery.verdicts(model), gallery.verdict(model, row)
    kind = _kind(verdicts, row)
    names = f"{escape(verdicts.a[row])} and {escape(verdicts.b[row])}"
    return (
        f'<div class="xfv xfv-opened"><h3>Pair {row + 1:,}: {kind}</h3>'
        f"<p>{escape(verdict.sentence)} Labelled {_label(verdicts, row)}.</p>"
        f'<p class="basis">{names}</p></div>'
    )


def _card(gallery: Gallery, model: str, verdicts: Verdicts, row: int) -> str:
    faces = "".join(
        f'<img src="{_picture(gallery.image(model, side[row]))}" alt="" loading="lazy">'
        for side in (verdicts.a, verdicts.b)
    )
    p, kind = verdicts.probability[row], _kind(verdicts, row)
    sure = "" if np.isnan(p) else f"P(same) {percent(float(p))}"
    wrong = " wrong" if verdicts.same[row] != verdicts.genuine[row] else ""
    return (
        f'<li><button type="button" class="pair{wrong}" data-row="{row}" '
        f'aria-label="Pair {row + 1}, {_label(verdicts, row)}, {kind}, {sure}">'
        f"<span>{faces}</span><b>{kind}</b><i>{verdicts.similarity[row]:.3f}</i>"
        f"<small>{sure}</small></button></li>"
    )


def _picture(data: bytes) -> str:
    kind = "jpeg" if data.startswith(JPEG) else "webp"
    return f"data:image/{kind};base64," + base64.b64encode(data).decode()


def _label(verdicts: Verdicts, row: int) -> str:
    return "same person" if verdicts.genuine[row] else "different people"


def _kind(verdicts: Verdicts, row: int) -> str:
    if verdicts.same[row] == verdicts.genuine[row]:
        return "match" if verdicts.same[row] else "non-match"
    return "false match" if verdicts.same[row] else "false non-match"


def _numbers(verdicts: Verdicts) -> str:
    genuine, same = verdicts.genuine, verdicts.same
    right = int((same == genuine).sum())
    low, high = wilson(right, len(verdicts))
    matches, misses = int((same & ~genuine).sum()), int((~same & genuine).sum())
    rows = [
        ("Pairs", f"{len(verdicts):,}"),
        ("Right", f"{right / len(verdicts):.2%} ({low:.2%} to {high:.2%})"),
        ("False matches", f"{matches:,} of {int((~genuine).sum()):,}"),
        ("False non-matches", f"{misses:,} of {int(genuine.sum()):,}"),
    ]
    if _has_both(verdicts):
        rates = error_rates(verdicts.similarity, genuine)
        at = int(np.argmin(np.abs(rates.fmr - rates.fnmr)))
        rows.append(("Equal error rate", f"{(rates.fmr[at] + rates.fnmr[at]) / 2:.2%}"))
    meanings = {
        "Right": "Share of verdicts that agree with the label, with a 95 % interval; the threshold "
        "was fixed beforehand, not chosen on folds.",
        "Equal error rate": "Where as large a share of impostors is accepted as of genuine pairs "
        "refused.",
    }
    return "".join(
        f"<div><dt>{tip(n, meanings[n]) if n in meanings else n}</dt><dd>{v}</dd></div>"
        for n, v in rows
    )


def _has_both(verdicts: Verdicts) -> bool:
    return bool(verdicts.genuine.any() and not verdicts.genuine.all())
