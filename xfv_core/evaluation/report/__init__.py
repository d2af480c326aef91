"""RESULTS.md: everything that was measured, from the JSON in results/ and from weights.json.

Equal results give equal text. Nothing is computed here but what stands in them, and what has not
been measured is listed as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xfv_core.confidence import Calibration
from xfv_core.evaluation.report import maps, models
from xfv_core.evaluation.report.plots import pictures
from xfv_core.evaluation.report.results import Result
from xfv_core.weights.manifest import Manifest

WANTED = (
    ("evaluate", ""),
    ("fidelity", "similar"),
    ("fidelity", "dissimilar"),
    ("patch-lfw", ""),
    ("sanity", ""),
)  # of every model: the measurement, and of which maps
INTRO = """# Results

Written by `python -m xfv_core report` from the files in `results/` and `weights.json`; a test
compares them. Brackets are 95 % intervals. Within a column, bold is the best or lies within the
interval of the best. Seconds depend on the machine and on what else it did; passes do not.
Commands, seeds and versions stand at the end."""
PUBLISHED = """## Published elsewhere

Published in arXiv 2403.04549 and arXiv 2305.08546, other networks and protocol: ArcFace, AdaFace
and MobileFaceNet at 112 px, LFW, the authors' own choice of pixels, fills and pairs. Not comparable
with the tables above.

| published, other networks and protocol | Deletion | Insertion |
| --- | ---: | ---: |
| FGGB, similar | 24.18 | – |
| CorrRISE, similar | 24.51 | 85.70 |
| CorrRISE, similar, in arXiv 2305.08546 | 23.29 | – |
| LIME, similar | 35.82 | – |
| Grad-CAM, similar | 50.65 | 65.00 |
| FGGB, dissimilar | 44.03 | – |
| xSSAB, dissimilar | 49.72 | – |"""


def report(results: Mapping[str, Result], manifest: Manifest, folder: str = "results/plots") -> str:
    """The whole text; ``folder``: where the pictures lie, as seen from the file."""
    measured, fitted = list(results.values()), calibrations(manifest)
    sections = [
        INTRO,
        models.verification(manifest, fitted),
        models.calibration(fitted),
        models.groups(manifest),
        maps.fidelity(measured),
        maps.agreement(measured),
        maps.cost(measured),
        maps.patches(measured),
        maps.sanity(measured),
        maps.peers(measured),
        PUBLISHED,
        _pictures(pictures(results, fitted), folder),
        _missing(measured, manifest),
        _commands(results),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def calibrations(manifest: Manifest) -> dict[str, Calibration]:
    """Model -> its calibration, where there is one."""
    whole = {name: card.whole_calibration for name, card in manifest.models.items()}
    return {name: calibration for name, calibration in whole.items() if calibration}


def _pictures(names: Mapping[str, Any], folder: str) -> str:
    if not names:
        return ""
    lines = [f"![{name}]({folder}/{name}.svg)" for name in names]
    return "\n\n".join(["## Curves", *lines])


def _missing(measured: Sequence[Result], manifest: Manifest) -> str:
    """What a full report has, for every model with its present weights, and this one has not."""
    there = {
        (r["measurement"], r["settings"].get("kind", ""), r["settings"]["weights"])
        for r in measured
    }
    lines = []
    for name, card in manifest.models.items():
        absent = [" ".join(filter(None, w)) for w in WANTED if (*w, card.sha256) not in there]
        absent += [] if card.calibration else ["calibrate"]
        lines += [f"- {name}: {', '.join(absent)}"] if absent else []
    lines += [] if maps.of(measured, "peers") else ["- peers"]
    return (
        "\n\n".join(
            ["## Missing", "Not measured yet, or only with other weights:", "\n".join(lines)]
        )
        if lines
        else ""
    )


def _commands(results: Mapping[str, Result]) -> str:
    if not results:
        return ""
    blocks = [
        f"`{name}`, seed {r['seed']}, weights {r['settings']['weights'][:12]}, {_versions(r)}, "
        f"{_rows(r)}:\n\n"
        f"    {r['command']}"
        for name, r in results.items()
    ]
    return "\n\n".join(["## Commands", *blocks])


def _rows(result: Result) -> str:
    return f"rows in `{result['rows']}`" if "rows" in result else "a summary without rows"


def _versions(result: Result) -> str:
    """Of what measured most methods, and of what those added later."""
    told = [_machine(result["settings"])]
    told += [f"{', '.join(p['methods'])} with {_machine(p)}" for p in result.get("added", ())]
    return "; ".join(told)


def _machine(settings: Mapping[str, Any]) -> str:
    parts = [f"{name} {number}" for name, number in settings["versions"].items()]
    return ", ".join([*parts, *filter(None, [settings.get("gpu")])])
