"""The curves of the report as SVG, by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xfv_core.confidence import Calibration
from xfv_core.evaluation.maps.patch_lfw import SHARES
from xfv_core.evaluation.report.results import Result
from xfv_core.explain.fidelity import RATIOS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panel = tuple[str, Callable[["Axes"], None]]  # its title, and what draws it
CHANCE: dict[str, Any] = {"color": "0.5", "linestyle": "--"}


def pictures(
    results: Mapping[str, Result], calibrations: Mapping[str, Calibration]
) -> dict[str, list[Panel]]:
    """Every picture there is something for, by name: its panels, side by side.

    ``results``: by file name, which names the picture.
    """
    found: dict[str, list[Panel]] = {}
    if curves := [r for r in results.values() if r["measurement"] == "evaluate"]:
        found["roc"] = [("ROC", lambda axes: _roc(axes, curves))]
    if calibrations:
        found["reliability"] = [("reliability", lambda axes: _reliability(axes, calibrations))]
    for file, result in results.items():
        name = Path(file).stem
        if result["measurement"] == "fidelity":
            found[name] = [_fidelity(result, measure) for measure in ("deletion", "insertion")]
        if result["measurement"] == "patch-lfw":
            kinds = [kind for kind in ("genuine", "impostor") if kind in result["random"]]
            found[name] = [_replacement(result, kind) for kind in kinds]
    return found


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
        label = f"{result['settings']['model']}, {result['pairs']}, {result['path']}"
        axes.plot(fmr, tmr, label=label, drawstyle="steps-post")
    axes.set(xscale="log", xlabel="FMR", ylabel="1 - FNMR", xlim=(1e-4, 1))


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
