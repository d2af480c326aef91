"""A gallery to look through: what it amounts to, a page of its pairs, one pair at the top."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from page.html import charts, macro
from xfv_core.confidence import CROPS
from xfv_core.confidence.scores import error_rates, reliability, wilson
from xfv_core.gallery import Gallery, Verdicts
from xfv_core.results import percent

PER_PAGE = 24
JPEG = b"\xff\xd8\xff"
RIGHT = (
    "Share of verdicts that agree with the label, with a 95 % interval; thresholds were fixed "
    "beforehand, not chosen on folds."
)
EQUAL = "Where as large a share of impostors is accepted as of genuine pairs refused."


@dataclass(frozen=True)
class Card:
    """One pair in the list."""

    row: int
    label: str
    kind: str
    similarity: str
    sure: str
    wrong: bool
    pictures: list[str]


def overview(gallery: Gallery, model: str) -> Markup:
    """Counts, error rates and three charts over all pairs of one model."""
    verdicts = gallery.verdicts(model)
    usual = float(np.median(verdicts.threshold))
    svgs = [charts.distributions(verdicts.similarity, verdicts.genuine, usual)]
    if _has_both(verdicts):
        svgs.append(charts.roc(verdicts.similarity, verdicts.genuine))
    known = ~np.isnan(verdicts.probability)
    if known.any():
        bins = reliability(verdicts.probability[known], verdicts.genuine[known])
        svgs.append(charts.reliability(bins))
    low, high = float(verdicts.threshold.min()), float(verdicts.threshold.max())
    bar = f"the threshold {usual:.3f}"
    if low < high:
        bar = f"a threshold of each pair's own, {low:.3f} to {high:.3f} (line: the middle one)"
    basis = (
        f"{gallery.info.name}, {CROPS.get(gallery.info.path, '')}; decided at {bar}. "
        f"Maps are stored for all errors and {gallery.info.sample} more pairs; others are computed "
        "when they are opened."
    )
    lost = len(gallery.info.lost)
    basis += f" {lost:,} photos without a face are left out." if lost else ""
    return macro("explorer", "overview", _numbers(verdicts), svgs, basis)


def grid(gallery: Gallery, model: str, rows: NDArray[np.intp], page: int) -> Markup:
    """``PER_PAGE`` of the chosen pairs as buttons, and a way to the others."""
    if not len(rows):
        return macro("explorer", "nothing")
    verdicts = gallery.verdicts(model)
    page = min(max(page, 0), (len(rows) - 1) // PER_PAGE)
    shown = rows[page * PER_PAGE : (page + 1) * PER_PAGE]
    cards = [_card(gallery, model, verdicts, int(row)) for row in shown]
    first = page * PER_PAGE + 1
    place = f"{first:,} to {first + len(shown) - 1:,} of {len(rows):,} pairs"
    turns = (
        (page - 1, "Previous", page > 0),
        (page + 1, "Next", page * PER_PAGE + len(shown) < len(rows)),
    )
    return macro("explorer", "grid", cards, place, turns)


def opened(gallery: Gallery, model: str, row: int) -> Markup:
    """Which pair is shown, its label and its verdict; the maps come below."""
    verdicts, verdict = gallery.verdicts(model), gallery.verdict(model, row)
    names = f"{verdicts.a[row]} and {verdicts.b[row]}"
    return macro(
        "explorer", "opened", row + 1, _kind(verdicts, row), verdict.sentence,
        _label(verdicts, row), names,
    )  # fmt: skip


def _card(gallery: Gallery, model: str, verdicts: Verdicts, row: int) -> Card:
    p, kind = verdicts.probability[row], _kind(verdicts, row)
    sure = "" if np.isnan(p) else f"P(same) {percent(float(p))}"
    return Card(
        row=row,
        label=f"Pair {row + 1}, {_label(verdicts, row)}, {kind}, {sure}",
        kind=kind,
        similarity=f"{verdicts.similarity[row]:.3f}",
        sure=sure,
        wrong=bool(verdicts.same[row] != verdicts.genuine[row]),
        pictures=[_picture(gallery.image(model, s[row])) for s in (verdicts.a, verdicts.b)],
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


def _numbers(verdicts: Verdicts) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each number; a meaning may be empty."""
    genuine, same = verdicts.genuine, verdicts.same
    right = int((same == genuine).sum())
    low, high = wilson(right, len(verdicts))
    matches, misses = int((same & ~genuine).sum()), int((~same & genuine).sum())
    rows = [
        ("Pairs", f"{len(verdicts):,}", ""),
        ("Right", f"{right / len(verdicts):.2%} ({low:.2%} to {high:.2%})", RIGHT),
        ("False matches", f"{matches:,} of {int((~genuine).sum()):,}", ""),
        ("False non-matches", f"{misses:,} of {int(genuine.sum()):,}", ""),
    ]
    if _has_both(verdicts):
        rates = error_rates(verdicts.similarity, genuine)
        at = int(np.argmin(np.abs(rates.fmr - rates.fnmr)))
        rows.append(("Equal error rate", f"{(rates.fmr[at] + rates.fnmr[at]) / 2:.2%}", EQUAL))
    return rows


def _has_both(verdicts: Verdicts) -> bool:
    return bool(verdicts.genuine.any() and not verdicts.genuine.all())
