"""The models in words, figures and pictures: card, results, reliability, licence."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from page.html import filled, share
from page.html.charts import reliability
from xfv_core.confidence import CROPS, Calibration
from xfv_core.models.atlas import ATLAS_COLUMNS, Atlas, Channel
from xfv_core.weights.hub import read_pinned
from xfv_core.weights.manifest import Manifest, ModelCard

Title = str | tuple[str, str]  # words, or words and their meaning


@dataclass(frozen=True)
class Table:
    """Titles and rows of words."""

    titles: Sequence[Title]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Tile:
    """One channel's picture in the atlas, and what is said below it."""

    number: int
    column: int
    row: int
    part: str
    purity: str


@dataclass(frozen=True)
class Channels:
    """What single channels find; ``atlas``: all their pictures as a data URL, or ""."""

    found: Table
    atlas: str
    tiles: list[Tile]


@dataclass(frozen=True)
class Model:
    """What is shown of one model."""

    card: ModelCard
    unfolded: bool
    headline: str
    facts: list[tuple[str, str]]
    tables: list[Table]
    diagram: Markup
    channels: Channels | None


def models(manifest: Manifest, atlases: Mapping[str, bytes]) -> Markup:
    """Every model of the manifest, the default first and unfolded.

    ``atlases``: by model, a PNG of its channels' mean activations, see
    ``evaluation/channels/atlas.py``; there need not be one.
    """
    folder = manifest.folder
    cards = sorted(manifest.models.values(), key=lambda card: card.name != manifest.default)
    return filled(
        "models",
        models=[
            _model(card, folder, atlases.get(card.name, b""), card.name == manifest.default)
            for card in cards
        ],
    )


def _model(card: ModelCard, folder: Path, atlas: bytes, unfolded: bool) -> Model:
    calibration, figures = card.whole_calibration, card.figures
    tables = [
        *([_results(figures.results)] if figures.results else ()),
        *([_calibrated(calibration)] if calibration else ()),
        *([_groups(figures.groups)] if figures.groups else ()),
    ]
    return Model(
        card=card,
        unfolded=unfolded,
        headline=_headline(card),
        facts=list(_facts(card)),
        tables=tables,
        diagram=reliability(calibration.reliability) if calibration else Markup(),
        channels=_channels(card, folder, atlas) if card.parts and figures.parts else None,
    )


def _channels(card: ModelCard, folder: Path, atlas: bytes) -> Channels:
    """What single channels find; ``card`` has parts, pinned and measured."""
    assert card.parts and card.figures.parts
    channels = Atlas.from_json(read_pinned(card.parts, folder)).channels
    titles = ("Faces", "Photos", "On its part", "Always the same place", "One peak", "By cause")
    rows = [
        (
            name,
            f"{found['metrics']['n']:,}",
            _within(found["metrics"]["purity"], found["metrics"]["purity_interval"]),
            share(found["metrics"]["constant_purity"]),
            share(found["metrics"]["single"]),
            _within(found["causes"]["share"], found["causes"]["share_interval"]),
        )
        for name, found in card.figures.parts["sets"].items()
    ]
    order = sorted(range(len(channels)), key=lambda i: (channels[i].part, -channels[i].purity))
    source = "data:image/png;base64," + base64.b64encode(atlas).decode() if atlas else ""
    return Channels(Table(titles, rows), source, [_tile(i, channels[i]) for i in order])


def _tile(i: int, channel: Channel) -> Tile:
    return Tile(
        number=i,
        column=i % ATLAS_COLUMNS,
        row=i // ATLAS_COLUMNS,
        part=channel.part if channel.live else "silent",
        purity=share(channel.purity),
    )


def _within(value: float, interval: Sequence[float], digits: int = 0) -> str:
    low, high = interval
    return f"{share(value, digits)} ({share(low, digits)} to {share(high, digits)})"


def _headline(card: ModelCard) -> str:
    """The one figure by which people compare models."""
    for name, row in card.figures.results.items():
        if row["path"] == "aligned":
            return f"{name} {share(row['accuracy']['mean'], 2)}"
    return "accuracy not measured here"


def _facts(card: ModelCard) -> Iterator[tuple[str, str]]:
    where = "bundled" if card.bundled else f"from the Hub: {card.hub.repo_id}" if card.hub else ""
    size = f"{card.bytes / 2**20:.1f} MiB" if card.bytes else ""
    facts = {
        "Licence": card.license,
        "Trained on": card.trained_on,
        "Weights": ", ".join(filter(None, (size, where))),
        "Origin": card.source,
        "Paper": card.paper,
        "Notes": card.notes,
    }
    yield from ((name, text) for name, text in facts.items() if text)


def _results(results: Mapping[str, Any]) -> Table:
    rows = [
        (
            f"{name}, {CROPS.get(row['path'], row['path'])}",
            f"{row['n']:,}",
            _within(row["accuracy"]["mean"], (row["accuracy"]["low"], row["accuracy"]["high"]), 2),
        )
        for name, row in results.items()
    ]
    return Table(("Photos", "Pairs", "Accuracy, 95 % interval"), rows)


def _calibrated(c: Calibration) -> Table:
    paths = {CROPS.get(name, name): scores for name, scores in c.paths.items()}
    rows = [
        (
            what,
            f"{scores.n:,}",
            f"{scores.ece:.4f} ({scores.ece_band[0]:.4f} to {scores.ece_band[1]:.4f})",
        )
        for what, scores in (paths | dict(c.degraded)).items()
    ]
    off = (
        "Calibration error",
        "How far stated probabilities lie from observed frequencies, on average, and in brackets "
        "the range of a perfectly calibrated model on as many pairs. Above it, the percentages "
        "are off by more than chance.",
    )
    return Table((c.dataset, "Pairs", off), rows)


def _groups(groups: Mapping[str, Any]) -> Table:
    """Strangers of one group taken for one person."""
    rows = [
        (
            cell["name"],
            f"{cell['photos']:,}",
            _within(cell["fmr"]["balanced"], cell["interval"]["balanced"], 1),
        )
        for cell in groups["cells"]
    ]
    title = ("Strangers, by group", f"False matches at the balanced rule. {groups['protocol']}.")
    return Table((title, "Photos", "Taken for one person"), rows)
