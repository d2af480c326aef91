"""Figures as Markdown: what a table of the report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Pair = Sequence[float]  # low, high


@dataclass(frozen=True)
class Figure:
    """A measured value with its 95 % interval."""

    value: float
    interval: Pair

    def written(self, digits: int = 1, scale: float = 1.0) -> str:
        """``value (low to high)``."""
        value, low, high = (f"{scale * x:.{digits}f}" for x in (self.value, *self.interval))
        return f"{value} ({low} to {high})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells as a Markdown table, the first column to the left, the others to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    lines = ("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))
    return "\n".join(lines)


def column(
    figures: Sequence[Figure | None], *, lowest: bool, digits: int = 1, scale: float = 1.0
) -> list[str]:
    """A column of the table; the best and what lies within its interval is bold."""
    known = [figure for figure in figures if figure]
    if not known:
        return ["–"] * len(figures)
    best = (min if lowest else max)(known, key=lambda figure: figure.value)
    low, high = best.interval
    return [
        "–" if figure is None
        else bold(figure.written(digits, scale), figure is best or low <= figure.value <= high)
        for figure in figures
    ]  # fmt: skip


def bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text
