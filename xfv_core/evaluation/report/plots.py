"""The curves of the report as SVG, by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from xfv_core.confidence import Calibration
from xfv_core.evaluation.maps.patch_lfw import SHARES
from xfv_core.evaluation.report.results import Result
from xfv_core.explain.fidelity import RATIOS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panel = tuple[str, Callable[["Axes"], None]]  # its title, and what draws it
DET_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.4, 0.6)
CHANCE: dict[str, Any] = {"color": "0.5", "linestyle": "--"}


def pictures(
    results: Mapping[str, Result], calibrations: Mapping[str, Calibration]
) -> dict[str, list[Panel]]:
    """Every picture there is something for, by name: its panels, side by side.

    ``results``: by file name, which names the picture.
    """
    found: dict[str, list[Panel]] = {}
    curves: dict[str, list[Result]] = {}
    for result in results.values():
        if result["measurement"] == "evaluate":
            curves.setdefault(Path(result["pairs"]).stem, []).append(result)
    found |= {f"roc_{pairs}": [roc_panel(those)] for pairs, those in curves.items()}
    if calibrations:
        found["reliability"] = [("reliability", lambda axes: _reliability(axes, calibrations))]
    for file, result in results.items():
        name = Path(file).stem
        if result["measurement"] == "fidelity":
            found[name] = [_fidelity(result, measure) for measure in ("deletion", "insertion")]
        if "tippett" in result:
            found[f"likelihood_{name}"] = likelihood(result)
        if result["measurement"] == "patch-lfw":
            kinds = [kind for kind in ("genuine", "impostor") if kind in result["random"]]
            found[name] = [_replacement(result, kind) for kind in kinds]
    return found


def roc_panel(results: Sequence[Result]) -> Panel:
    """ROC curves of what ``evaluate`` found on one list of pairs."""
    return f"ROC, {results[0]['pairs']}", lambda axes: _roc(axes, results)


def likelihood(result: Mapping[str, Any]) -> list[Panel]:
    """Tippett and DET curves of what ``evaluate`` found, with their 95 % intervals."""
    whose = f"{result['model']}, {result['pairs']}, {result['n']} pairs"
    return [
        (f"Tippett: {whose}", lambda axes: _tippett(axes, result["tippett"])),
        (f"DET: {whose}", lambda axes: _det(axes, result["det"])),
    ]


def draw(panels_by_name: Mapping[str, Sequence[Panel]], folder: Path) -> None:
    """Write one SVG per picture; the same figures give the same file under one matplotlib."""
    import matplotlib
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    for name, panels in panels_by_name.items():
        with matplotlib.rc_context({"svg.hashsalt": name, "font.size": 9}):
            figure = Figure(figsize=(4.6 * len(panels), 4), layout="constrained")
            for i, (title, panel) in enumerate(panels, start=1):
                axes = figure.add_subplot(1, len(panels), i)
                panel(axes)
                axes.set_title(title)
                axes.legend(fontsize=7)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def _roc(axes: Axes, results: Sequence[Result]) -> None:
    for result in results:
        fmr, tmr = zip(*result["roc"], strict=True)
        label = f"{result['model']}, {result['path']}"
        axes.plot(fmr, tmr, label=label, drawstyle="steps-post")
    axes.set(xscale="log", xlabel="FMR", ylabel="1 - FNMR", xlim=(1e-4, 1))


def _tippett(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    steps = [row["log10_lr"] for row in rows]
    for name, words in (("genuine", "same person"), ("impostor", "two people")):
        (line,) = axes.plot(steps, [row[name] for row in rows], label=words)
        low, high = zip(*(row[f"{name}_interval"] for row in rows), strict=True)
        axes.fill_between(steps, low, high, alpha=0.25, color=line.get_color())
    axes.axvline(0, **CHANCE)
    axes.set(xlabel="log10 LR", ylabel="share of pairs at or above it", ylim=(0, 1.02))


def _det(axes: Axes, det: Mapping[str, Any]) -> None:
    """On the scale of normal deviates, where normal scores make a straight line."""
    low_x, low_y = det["lowest_fmr"], det["lowest_fnmr"]
    ends = min(low_x, low_y) / 3, 0.6
    at = {name: np.clip([p[name] for p in det["points"]], *ends)  # 0 lies at the edge
          for name in ("fmr", "fmr_interval", "fnmr", "fnmr_interval")}  # fmt: skip
    (line,) = axes.plot(at["fmr"], at["fnmr"], label="DET")
    look: dict[str, Any] = {"alpha": 0.25, "color": line.get_color()}
    axes.fill_between(at["fmr"], *at["fnmr_interval"].T, **look)
    axes.fill_betweenx(at["fnmr"], *at["fmr_interval"].T, **look)
    axes.axvline(low_x, label=f"lowest FMR that can be shown, {low_x:.2%}", **CHANCE)
    axes.axhline(low_y, label=f"lowest FNMR, {low_y:.2%}", color="0.7", linestyle=":")
    functions = (_deviate, norm.cdf)
    axes.set_xscale("function", functions=functions)
    axes.set_yscale("function", functions=functions)
    ticks = [tick for tick in DET_TICKS if ends[0] <= tick <= ends[1]]
    labels = [f"{100 * tick:g}" for tick in ticks]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.set(xlabel="FMR, %", ylabel="FNMR, %", xlim=ends, ylim=ends)


def _deviate(share: ArrayLike) -> Any:
    return norm.ppf(np.clip(share, 1e-9, 1 - 1e-9))


def _reliability(axes: Axes, calibrations: Mapping[str, Calibration]) -> None:
    axes.plot([0, 1], [0, 1], label="perfect", **CHANCE)
    for name, calibration in calibrations.items():
        bins = calibration.reliability
        axes.plot([b.mean_p for b in bins], [b.genuine for b in bins], "o", label=name, alpha=0.7)
    axes.set(xlabel="P(same), mean of a bin", ylabel="share of genuine pairs")


def _fidelity(result: Result, measure: str) -> Panel:
    def panel(axes: Axes) -> None:
        for name, found in result["methods"].items():
            axes.plot(100 * RATIOS, found[f"{measure}_curve"], label=name)
        axes.plot(
            100 * RATIOS, result["random"][f"{measure}_curve"], label="random fields", **CHANCE
        )
        verb = "hidden" if measure == "deletion" else "shown"
        axes.set(xlabel=f"cells {verb}, %", ylabel="accuracy", ylim=(0, 1.02))

    settings = result["settings"]
    whose = f"{settings['model']}, {settings['kind']} maps, {result['n']} {settings['on']} pairs"
    return f"{whose}: {measure}", panel


def _replacement(result: Result, kind: str) -> Panel:
    def panel(axes: Axes) -> None:
        for name, found in result["methods"].items():
            axes.plot(100 * SHARES, found[kind]["error_curve"], label=name)
        axes.plot(
            100 * SHARES, result["random"][kind]["error_curve"], label="random pixels", **CHANCE
        )
        axes.set(xlabel="pixels given back, %", ylabel="FNMR" if kind == "genuine" else "FMR")

    return f"{result['settings']['model']}, {kind} pairs", panel
