"""The sections on models: verification, calibration, false matches by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xfv_core.confidence import Calibration
from xfv_core.confidence.scores import OperatingPoint, Scores, wilson
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


def probability(measured: Sequence[Mapping[str, Any]]) -> str:
    """The probability of every evaluation that takes measures, after that of the curve alone."""
    rows = [
        [f"{r['model']}, {r['pairs']}, {r['path']}, {curve}", *_judged(found)]
        for r in measured
        if r["measurement"] == "evaluate" and r.get("measures")
        for curve, found in (("similarity alone", r["alone"]), ("with measures", _balanced(r)))
    ]
    header = ["model, pairs, crops, curve", "pairs", "accuracy, %", "FMR, %", "FNMR, %", "ECE, %",
              "by chance", "C_llr", "least", "above 99 %, % of pairs", "right, %"]  # fmt: skip
    text = (
        "The balanced rule and P(same), by the curve of the similarity alone and by the one that "
        "takes measures of both photos. C_llr in bits, and the least that any monotone map of the "
        "scores has. Pairs that share a person count as independent, so that intervals on few "
        "people are too narrow."
    )
    return "\n\n".join(["## Probability", text, table(header, rows)]) if rows else ""


def _balanced(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures of the balanced rule, also where the accuracy is that of the folds."""
    genuine, impostor = result["n_genuine"], result["n_impostor"]
    wrong = result["fnmr"] * genuine + result["fmr"] * impostor
    right = round(genuine + impostor - wrong)
    interval = wilson(right, genuine + impostor)
    return {**result, "accuracy": right / (genuine + impostor), "accuracy_interval": interval}


def _judged(found: Mapping[str, Any]) -> list[str]:
    p = found["probability"]
    sure = p["above_99"]
    right = "–" if sure["right"] is None else _percent(sure, "right")
    return [
        str(p["n"]), *(_percent(found, key) for key in ("accuracy", "fmr", "fnmr")),
        f"{100 * p['ece']:.2f}", _band(p["ece_band"]), f"{p['cllr']:.3f}", f"{p['cllr_min']:.3f}",
        f"{100 * sure['share']:.1f}", right,
    ]  # fmt: skip


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
