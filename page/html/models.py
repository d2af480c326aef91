"""The models in words, figures and pictures: card, results, reliability, licence."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from page.html.charts import reliability
from page.html.words import tip
from xfv_core.confidence import CROPS, Calibration
from xfv_core.models.ecnet import ATLAS_COLUMNS, Atlas, Channel
from xfv_core.weights.hub import read_pinned
from xfv_core.weights.manifest import Manifest, ModelCard


def models(manifest: Manifest, atlases: Mapping[str, bytes]) -> str:
    """Every model of the manifest, the default first and unfolded.

    ``atlases``: by model, a PNG of its channels' mean activations, see ``evaluation/atlas.py``.
    """
    folder = manifest.folder
    cards = sorted(manifest.models.values(), key=lambda card: card.name != manifest.default)
    return '<div class="xfv xfv-models">' + "".join(
        _model(card, folder, atlases.get(card.name), unfolded=card.name == manifest.default)
        for card in cards
    ) + "</div>"  # fmt: skip


def _model(card: ModelCard, folder: Path, atlas: bytes | None, *, unfolded: bool) -> str:
    calibration, figures = card.whole_calibration, card.figures
    measured = _results(figures.results) + (_calibrated(calibration) if calibration else "")
    diagram = reliability(calibration.reliability) if calibration else ""
    measured += _groups(figures.groups) if figures.groups else ""
    channels = ""
    if figures.parts and atlas and card.parts:
        found = Atlas.from_json(read_pinned(card.parts, folder)).channels
        channels = _channels(figures.parts["sets"], found, atlas)
    return (
        f"<details{' open' if unfolded else ''}><summary><b>{escape(card.title)}</b> "
        f"<span>{_headline(card)}</span></summary><div class='body'><div>"
        f"<dl>{''.join(_facts(card))}</dl>{measured}</div>{diagram}</div>{channels}</details>"
    )


def _channels(sets: Mapping[str, Any], channels: Sequence[Channel], atlas: bytes) -> str:
    """What single channels find: figures by set of faces, and a tile per channel."""
    head = ("Faces", "Photos", "On its part", "Always the same place", "One peak", "By cause")
    rows = [
        (
            name,
            f"{found['metrics']['n']:,}",
            _share(found["metrics"]["purity"], found["metrics"]["purity_interval"]),
            f"{found['metrics']['constant_purity']:.0%}",
            f"{found['metrics']['single']:.0%}",
            _share(found["causes"]["share"], found["causes"]["share_interval"]),
        )
        for name, found in sets.items()
    ]
    order = sorted(range(len(channels)), key=lambda i: (channels[i].part, -channels[i].purity))
    source = "data:image/png;base64," + base64.b64encode(atlas).decode()
    tiles = "".join(_tile(i, channels[i]) for i in order)
    return (
        '<div class="channels"><h3>What single channels find</h3>'
        "<p>On its part: how often a channel's peak lies on its part, median over live channels, "
        "beside a channel that always fires at the same place. By cause: channels that fall when "
        "their part is covered and stay when another one is.</p>"
        f"{_table(head, rows)}<p>Mean activation on the aligned face, a tile per channel: its "
        f'number, its part, how often it is on it.</p><ol class="atlas" '
        f"style=\"--atlas:url('{source}')\">{tiles}</ol></div>"
    )


def _tile(i: int, channel: Channel) -> str:
    column, row = i % ATLAS_COLUMNS, i // ATLAS_COLUMNS
    name = channel.part if channel.live else "silent"
    return (
        f'<li><i style="--column:{column};--row:{row}"></i><span>{i} {escape(name)}</span> '
        f"<b>{channel.purity:.0%}</b></li>"
    )


def _share(share: float, interval: tuple[float, float]) -> str:
    return f"{share:.0%} ({interval[0]:.0%} to {interval[1]:.0%})"


def _headline(card: ModelCard) -> str:
    """The one figure by which people compare models."""
    for name, row in card.figures.results.items():
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


def _groups(groups: Mapping[str, Any]) -> str:
    """Strangers of one group taken for one person."""
    rows = [
        (
            cell["name"],
            f"{cell['photos']:,}",
            _share(cell["fmr"]["balanced"], cell["interval"]["balanced"]),
        )
        for cell in groups["cells"]
    ]
    title = tip("Strangers, by group", f"False matches at the balanced rule. {groups['protocol']}.")
    return _table((title, "Photos", "Taken for one person"), rows, escaped=True)


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
