"""The models in words, figures and pictures: card, results, reliability, licence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from xfv_core.confidence import Calibration
from xfv_core.manifest import Manifest, ModelCard
from xfv_core.render.words import tip

CROPS = {"aligned": "aligned crops", "served": "cut by our own detector"}


def models(manifest: Manifest) -> str:
    """Every model of the manifest, the default first and unfolded."""
    cards = sorted(manifest.models.values(), key=lambda card: card.name != manifest.default)
    return '<div class="xfv xfv-models">' + "".join(
        _model(card, unfolded=card.name == manifest.default) for card in cards
    ) + "</div>"  # fmt: skip


def _model(card: ModelCard, *, unfolded: bool) -> str:
    calibration = Calibration.from_dict(card.calibration) if card.calibration else None
    measured = _results(card.results or {}) + (_calibrated(calibration) if calibration else "")
    diagram = reliability(calibration) if calibration else ""
    return (
        f"<details{' open' if unfolded else ''}><summary><b>{escape(card.title)}</b> "
        f"<span>{_headline(card)}</span></summary><div class='body'><div>"
        f"<dl>{''.join(_facts(card))}</dl>{measured}</div>{diagram}</div></details>"
    )


def _headline(card: ModelCard) -> str:
    """The one figure by which people compare models."""
    for name, row in (card.results or {}).items():
        if row["path"] == "aligned":
            return f"{escape(name)} {_rate(row['accuracy'])}"
    return "accuracy not measured here"


def _facts(card: ModelCard) -> Iterator[str]:
    weights = f"{card.bytes / 2**20:.1f} MiB, " + (
        "bundled" if card.bundled else f"from the Hub: {card.hub.repo_id if card.hub else ''}"
    )
    facts = {
        "Licence": card.license,
        "Trained on": card.trained_on,
        "Weights": weights,
        "Origin": card.source,
        "Paper": card.paper,
        "Notes": card.notes,
    }
    for name, text in facts.items():
        if text:
            yield f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>"


def _results(results: Mapping[str, Any]) -> str:
    if not results:
        return ""
    rows = [
        (
            f"{name}, {CROPS.get(row['path'], row['path'])}",
            f"{row['n']:,}",
            f"{_rate(row['accuracy'])} ({_percent(row['accuracy']['low'])} to "
            f"{_percent(row['accuracy']['high'])})",
        )
        for name, row in results.items()
    ]
    return _table(("Photos", "Pairs", "Accuracy, 95 % interval"), rows)


def _calibrated(c: Calibration) -> str:
    paths = {CROPS.get(name, name): scores for name, scores in c.paths.items()}
    rows = [
        (
            what,
            f"{scores.n:,}",
            f"{scores.ece:.4f} ({scores.ece_band[0]:.4f} to {scores.ece_band[1]:.4f})",
        )
        for what, scores in (paths | dict(c.degraded)).items()
    ]
    off = tip(
        "Calibration error",
        "How far stated probabilities lie from observed frequencies, on average, and in brackets "
        "the range of a perfectly calibrated model on as many pairs. Above it, the percentages "
        "are off by more than chance.",
    )
    return _table((escape(c.dataset), "Pairs", off), rows, escaped=True)


def reliability(c: Calibration) -> str:
    """SVG: observed share of same-person pairs against the stated probability, a dot per bin."""
    side = 200
    dots = "".join(
        f'<circle cx="{b.mean_p * side:.1f}" cy="{(1 - b.genuine) * side:.1f}" r="4">'
        f"<title>{b.n:,} pairs: stated {_percent(b.mean_p)}, observed {_percent(b.genuine)}</title>"
        "</circle>"
        for b in c.reliability
    )
    label = (
        f"Reliability: {len(c.reliability)} bins of equal size; the closer to the diagonal, the "
        "better the stated probability"
    )
    return (
        f'<svg class="xfv-reliability" viewBox="-34 -8 {side + 44} {side + 50}" role="img" '
        f'aria-label="{label}">'
        f'<path d="M0 {side}L{side} 0" stroke="var(--soft)" stroke-dasharray="4 3"/>'
        f'<path d="M0 0V{side}H{side}" fill="none" stroke="var(--line)"/>{dots}'
        f'<text x="0" y="{side + 16}" text-anchor="middle">0</text>'
        f'<text x="{side}" y="{side + 16}" text-anchor="middle">1</text>'
        f'<text x="-6" y="6" text-anchor="end">1</text>'
        f'<text x="{side / 2}" y="{side + 32}" text-anchor="middle">stated P(same person)</text>'
        f'<text transform="rotate(-90)" x="{-side / 2}" y="-16" text-anchor="middle">'
        "observed</text></svg>"
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], *, escaped: bool = False) -> str:
    titles = "".join(f"<th>{title if escaped else escape(title)}</th>" for title in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _rate(accuracy: Mapping[str, float]) -> str:
    return _percent(accuracy["mean"])


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
