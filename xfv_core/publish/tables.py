"""Markdown of a model card: tables and figures with their intervals."""

from __future__ import annotations

from collections.abc import Iterable


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Rows of cells."""
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def rate(share: float, interval: tuple[float, float]) -> str:
    """In percent, with its interval."""
    return f"{100 * share:.2f} % ({100 * interval[0]:.2f} to {100 * interval[1]:.2f})"


def with_band(ece: float, band: tuple[float, float]) -> str:
    """An ECE, with that of perfectly calibrated models."""
    return f"{ece:.4f} ({band[0]:.4f} to {band[1]:.4f})"
