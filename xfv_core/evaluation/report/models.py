"""The sections on models: verification, calibration, false matches by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xfv_core.confidence import Calibration
from xfv_core.confidence.scores import OperatingPoint, Scores
from xfv_core.evaluation.report.tables import Figure, table
from xfv_core.weights.manifest import Manifest


def _percent(figure: Mapping[str, Any], key: str) -> str:
    interval = figure.get(f"{key}_interval")
    return Figure(figure[key], interval).written(2, 100) if interval else f"{100 * figure[key]:.2f}"


def verification(manifest: Manifest, fitted: Mapping[str, Calibration]) -> str:
    rows = [
        [
            f"{name}, {pairs}", found["path"], str(found["n"]), str(found["folds"]),
            Figure(mean["mean"], (mean["low"], mean["high"])).written(2, 100),
            _percent(found, "eer"), f"{found['auc']:.4f}", str(found["lost"]),
        ]
        for name, card in manifest.models.items()
        for pairs, found in card.figures.results.items()
        for mean in [found["accuracy"]]
    ]  # fmt: skip
    header = ["model, pairs", "crops", "pairs", "folds", "accuracy, %", "EER, %", "AUC", "lost"]
    points = [_point(name, point) for name, c in fitted.items() for point in c.operating_points]
    return "\n\n".join(
        [
            "## Verification",
            "Accuracy at the threshold of best accuracy on the other folds (LFW's protocol); "
            "*lost* are photos in which no face was found.",
            table(header, rows),
            "Operating points, as calibrated; *coarse* rests on fewer than ten expected errors.",
            table(["model, point", "threshold", "FMR, %", "FNMR, %", ""], points),
        ]
    )


def _point(name: str, point: OperatingPoint) -> list[str]:
    rates = [(point.fmr, point.fmr_interval), (point.fnmr, point.fnmr_interval)]
    written = [Figure(*rate).written(2, 100) for rate in rates]
    label = f"{name}, {point.name.replace('_', ' ')}"
    return [label, f"{point.threshold:.4f}", *written, "coarse" if point.coarse else ""]


def calibration(fitted: Mapping[str, Calibration]) -> str:
    rows = []
    for name, c in fitted.items():
        curves = {f"curve {curve}": scores for curve, scores in c.comparison.items()}
        crops = {f"{path} crops": scores for path, scores in c.paths.items()}
        for label, scores in (curves | crops | dict(c.degraded)).items():
            mine = " (in use)" if label == f"curve {c.curve}" else ""
            rows.append([f"{name}, {label}{mine}", *_scores(scores)])
    header = ["model, what", "pairs", "ECE, %", "by chance", "uncertain", "their ECE, %",
              "by chance", "NLL", "Brier"]  # fmt: skip
    protocols = [f"{name}: {c.dataset}, {c.protocol}." for name, c in fitted.items()]
    text = (
        "P(same) at equal odds, every score with its fold held out. *By chance*: 95 % band of a "
        "perfectly calibrated model of that many pairs; *uncertain*: pairs with 0.05 < p < 0.95."
    )
    return "\n\n".join(["## Calibration", text, *protocols, table(header, rows)])


def groups(manifest: Manifest) -> str:
    """False matches among strangers of one group, for every model that was measured."""
    found = {n: card.figures.groups for n, card in manifest.models.items() if card.figures.groups}
    sections = ["## By group"] if found else []
    for name, measured in found.items():
        points = list(measured["thresholds"])
        rows = [
            [cell["name"], str(cell["photos"]), *(
                Figure(cell["fmr"][p], cell["interval"][p]).written(2, 100) for p in points
            )]
            for cell in measured["cells"]
        ]  # fmt: skip
        named = [f"FMR at {point.replace('_', ' ')}, %" for point in points]
        sections += [
            f"Strangers taken for one person. {measured['protocol']}.",
            table([name, "photos", *named], rows),
        ]
    return "\n\n".join(sections)


def _scores(s: Scores) -> list[str]:
    return [
        str(s.n), f"{100 * s.ece:.2f}", _band(s.ece_band), str(s.n_uncertain),
        "–" if s.ece_uncertain is None else f"{100 * s.ece_uncertain:.1f}",
        _band(s.ece_uncertain_band), f"{s.nll:.4f}", f"{s.brier:.4f}",
    ]  # fmt: skip


def _band(band: Sequence[float] | None) -> str:
    return "–" if band is None else f"{100 * band[0]:.2f} to {100 * band[1]:.2f}"
