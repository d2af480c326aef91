"""The course of a training: a line per report, a CSV, and a picture of it (SVG, no libraries)."""

from __future__ import annotations

import csv
from pathlib import Path

FIELDS = (
    "step", "epoch", "seconds", "loss", "cosine", "similarity", "identity",
    "template", "part", "silence", "diversity", "balance", "covered", "mirror",
    "held_cosine", "held_correlation",
)  # fmt: skip
PLOTTED = FIELDS[FIELDS.index("cosine") :]
WIDTH, HEIGHT, MARGIN = 720, 160, 40


class Curves:
    """Appends to ``curves.csv`` in ``folder``; rows after step ``keep`` are dropped first."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        self.path = folder / "curves.csv"
        self.rows = [r for r in read_curves(self.path) if int(r["step"]) <= keep]
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(self.rows)
        self._last = (0, 0.0)

    def add(
        self,
        step: int,
        steps: int | None,
        epoch: float,
        seconds: float,
        values: dict[str, float],
    ) -> None:
        """Record one report and print it, with the time that is left where the end is known."""
        rounded = {name: f"{value:.5f}" for name, value in values.items()}
        row = {"step": str(step), "epoch": f"{epoch:.3f}", "seconds": f"{seconds:.1f}", **rounded}
        self.rows.append(row)
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, FIELDS).writerow(row)
        pace = (seconds - self._last[1]) / max(step - self._last[0], 1)
        self._last = (step, seconds)
        terms = "  ".join(f"{name} {value}" for name, value in rounded.items())
        left = "" if steps is None else f", {pace * (steps - step) / 60:.0f} min left"
        print(f"step {step}/{steps or '?'}  {terms}  {pace:.2f} s/step{left}", flush=True)

    def draw(self) -> Path:
        """Write ``curves.svg``: one panel per quantity over the steps."""
        panels = [name for name in PLOTTED if any(row.get(name) for row in self.rows)]
        body = [self._panel(name, top=i * HEIGHT) for i, name in enumerate(panels)]
        size = f'width="{WIDTH}" height="{HEIGHT * len(panels)}"'
        path = self.path.with_suffix(".svg")
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" '
            f'font-size="11"><rect {size} fill="white"/>{"".join(body)}</svg>\n'
        )
        return path

    def _panel(self, name: str, top: int) -> str:
        points = [(int(r["step"]), float(r[name])) for r in self.rows if r.get(name)]
        steps, values = zip(*points, strict=True)
        low, high = min(values), max(values)
        across = (WIDTH - 2 * MARGIN) / max(steps[-1], 1)
        up = (HEIGHT - 2 * MARGIN) / ((high - low) or 1)
        floor = top + HEIGHT - MARGIN
        line = " ".join(
            f"{MARGIN + s * across:.1f},{floor - (v - low) * up:.1f}" for s, v in points
        )
        return (
            f'<text x="{MARGIN}" y="{top + 24}">{name}: {low:.4f} to {high:.4f}, '
            f"last {values[-1]:.4f} at step {steps[-1]}</text>"
            f'<polyline points="{line}" fill="none" stroke="#2b5c8a" stroke-width="1.5"/>'
        )


def read_curves(path: Path) -> list[dict[str, str]]:
    """Rows of a ``curves.csv``; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
