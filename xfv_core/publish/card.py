"""The model card (README.md of a model repository), written from the manifest entry alone.

What was not measured is not claimed; every figure stands with its data set, protocol and n, and
with its interval where the manifest has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import huggingface_hub as hf

from xfv_core.confidence import CROPS, Calibration, Scores
from xfv_core.publish.conditional import sections
from xfv_core.publish.tables import rate, table, with_band
from xfv_core.weights.manifest import InputSpec, ModelCard

FILENAME, COHORT = "model.safetensors", "cohort.safetensors"
PLAIN_LICENSE = re.compile(  # of those that the Hub has an id for, the likely ones
    r"apache-2\.0|mit|bsd-[23]-clause|isc|mpl-2\.0|cc0-1\.0|cc-by(-nc)?(-sa)?-4\.0"
)

BODY = """
# {card.title}

A face verification network for xfv, which says whether two photos show the same person, how sure
that is, and why. Two faces are as similar as the cosine of their embeddings.

## Use

```python
from xfv_core import Verifier

verdict = Verifier().verify("a.jpg", "b.jpg", model="{card.name}")
print(verdict.sentence)
```

This needs an xfv whose `weights.json` names this repository and a revision of it. What is loaded
is `{filename}`,{length} sha256 `{card.sha256}`, checked every time.
`config.json` holds the architecture (`{card.arch}`), its settings and its input.

Input: {card.input.size} x {card.input.size} px RGB, {crop}.
The network takes x in [0,1] and normalises it itself: `{card.input.normalisation}`.

## Origin

- Weights: {card.source}
- Trained on: {card.trained_on}
{training}- Paper: {paper}
- Licence: {card.license}
- Notes: {notes}

## Measured

{measured}

## Limits

- A demonstration, not a basis for decisions about people.
- No liveness: a photo of a photo, a mask or a generated face is not noticed.
- {groups}
- Photos of faces are biometric data: use those of people who agreed to it.
"""

CALIBRATED = """\
Data set: {c.dataset}, {c.n_genuine:,} pairs of the same person and {c.n_impostor:,} of two people.
Protocol: {c.protocol}.

**Probability of the same person**, at equal odds. ECE: expected calibration error, and behind it
the range in which 95 % of perfectly calibrated models would lie on as many pairs; above that range
the probability is off by more than chance. NLL (in nats) and Brier score come without an interval.

{scores}

**Rules**, measured on the pairs they were chosen on ({fitted_on}). FMR: share of the
{c.n_impostor:,} pairs taken for the same person, FNMR: share of the {c.n_genuine:,} pairs taken for
two people, with 95 % intervals.

{rules}"""

CHANNELS = """\
**Channels**, {protocol}. Medians over live channels, 95 % intervals over faces. Purity: share of
the faces a channel fires on whose peak lies in its part; beside it that of a channel that always
fires at the same place. Spread: of its peak on the face, over the distance between the eyes. Parts:
those with a channel of purity 80 % or more. Cause: channels that lose more than half of their
activation when their part is covered, and do not when another one is.

{table}"""

BY_GROUP = """\
**False matches by group**, at the balanced rule: strangers of one cell taken for the same person.
{protocol}.

{table}"""

NOT_BY_GROUP = (
    "Error rates per group of people have not been measured. Face networks err more often for "
    "people under-represented in their training data."
)
BY_GROUP_LIMIT = (
    "False matches differ by group, up to {most:.0f} % of strangers ({name}) on photos unlike "
    "those it was calibrated on; see the table. Misses by group have not been measured."
)

UNCALIBRATED = "Not calibrated: what a similarity is worth as a probability was not measured."


def model_card(card: ModelCard) -> hf.ModelCard:
    """YAML for the Hub, text for people."""
    calibration, figures = card.whole_calibration, card.figures
    license_id = card.license.lower()
    plain = PLAIN_LICENSE.fullmatch(license_id) is not None
    data = hf.ModelCardData(
        license=license_id if plain else "other",
        license_name=None if plain else _slug(card.license),
        library_name="xfv",
        pipeline_tag="image-feature-extraction",
        tags=["face-verification", "face-recognition", "explainability", "xfv"],
        model_name=card.name if calibration else None,
        eval_results=_results(calibration) if calibration else None,
    )
    body = BODY.format(
        card=card,
        filename=FILENAME,
        length=f" {card.bytes:,} bytes," if card.bytes else "",
        crop=_crop(card.input),
        paper=card.paper or "none",
        notes=card.notes or "none",
        training="- Training: " + _pairs(figures.training) + "\n" if figures.training else "",
        measured="\n\n".join(_measured(card, calibration)),
        groups=_group_limit(figures.groups) if figures.groups else NOT_BY_GROUP,
    )
    return hf.ModelCard(f"---\n{data.to_yaml()}\n---\n{body}")


def _crop(spec: InputSpec) -> str:
    if spec.crop == "template":
        return "aligned on five landmarks"
    box = "the detector's box" if spec.crop == "box" else "the square around the detector's box"
    return f"{box} with a margin of {spec.margin:g} px, both sides together"


def _pairs(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{key}: {value}" for key, value in values.items())


def _results(c: Calibration) -> list[hf.EvalResult]:
    """The Hub's model index: the scores of the probability, the errors of the balanced rule."""
    scores, point = c.scores, c.point("balanced")
    chance = {"95 % of perfectly calibrated models": list(scores.ece_band)}
    rule = {"rule": "balanced", "threshold": point.threshold}
    false_matches = {"n": c.n_impostor, **rule, "95 % interval": list(point.fmr_interval)}
    misses = {"n": c.n_genuine, **rule, "95 % interval": list(point.fnmr_interval)}
    figures: list[tuple[str, str, float, dict[str, Any]]] = [
        ("ece", "Expected calibration error", scores.ece, {"n": scores.n, **chance}),
        ("nll", "Negative log-likelihood in nats", scores.nll, {"n": scores.n}),
        ("brier_score", "Brier score", scores.brier, {"n": scores.n}),
        ("fmr", "False match rate", point.fmr, false_matches),
        ("fnmr", "False non-match rate", point.fnmr, misses),
    ]
    return [
        hf.EvalResult(
            task_type="image-feature-extraction",
            task_name="Face verification",
            dataset_type=_slug(c.dataset),
            dataset_name=c.dataset,
            dataset_args={"protocol": c.protocol},
            metric_type=kind,
            metric_name=name,
            metric_value=value,
            metric_args=arguments,
        )
        for kind, name, value, arguments in figures
    ]


def _measured(card: ModelCard, calibration: Calibration | None) -> Iterator[str]:
    if card.figures.results:
        yield _accuracies(card.figures.results)
    if card.figures.parts:
        yield _channels(card.figures.parts)
    if card.figures.groups:
        yield _groups(card.figures.groups)
    if calibration:
        yield _calibrated(calibration)
        if calibration.conditional:
            yield from sections(card, calibration.conditional, COHORT)
        return
    yield UNCALIBRATED
    if (hint := card.indicative_threshold) is not None:
        threshold = f"{hint.metric} {hint.value} ({hint.source})"
        yield f"Indicative threshold, not measured here: {threshold}."


def _accuracies(results: Mapping[str, Any]) -> str:
    """What ``evaluate --store`` kept, by pair list."""
    rows = [
        (
            f"{name}, {CROPS.get(row['path'], row['path'])}",
            f"{row['n']:,}",
            f"{row['folds']} folds, threshold of the others" if row["folds"] else "balanced rule",
            rate(row["accuracy"]["mean"], (row["accuracy"]["low"], row["accuracy"]["high"])),
            rate(row["eer"], row["eer_interval"]),
        )
        for name, row in results.items()
    ]
    head = ("photos", "pairs", "protocol", "accuracy", "equal error rate")
    return "**Verification**, with 95 % intervals.\n\n" + table(head, rows)


def _channels(parts: Mapping[str, Any]) -> str:
    """What ``parts --store`` kept, by set of faces."""
    rows = [
        (
            name,
            f"{metrics['n']:,}",
            rate(metrics["purity"], metrics["purity_interval"]),
            f"{100 * metrics['constant_purity']:.0f} %",
            f"{metrics['spread']:.2f}",
            f"{100 * metrics['single']:.0f} %",
            f"{len(metrics['covered'])} of 8",
            rate(causes["share"], causes["share_interval"]),
        )
        for name, found in parts["sets"].items()
        for metrics, causes in [(found["metrics"], found["causes"])]
    ]
    head = (
        "faces",
        "photos",
        "purity",
        "constant place",
        "spread",
        "single peak",
        "parts",
        "cause",
    )
    return CHANNELS.format(table=table(head, rows), protocol=parts["protocol"])


def _groups(groups: Mapping[str, Any]) -> str:
    """What ``groups --store`` kept, by cell."""
    rows = [
        (c["name"], f"{c['photos']:,}", rate(c["fmr"]["balanced"], c["interval"]["balanced"]))
        for c in groups["cells"]
    ]
    cells = table(("strangers", "photos", "taken for the same person"), rows)
    return BY_GROUP.format(protocol=groups["protocol"], table=cells)


def _group_limit(groups: Mapping[str, Any]) -> str:
    worst = max(groups["cells"], key=lambda cell: cell["fmr"]["balanced"])
    return BY_GROUP_LIMIT.format(most=100 * worst["fmr"]["balanced"], name=worst["name"])


def _calibrated(c: Calibration) -> str:
    photos = {CROPS.get(path, path): scores for path, scores in c.paths.items()}
    photos |= {f"degraded: {kind}": scores for kind, scores in c.degraded.items()}
    scores = [row for what, scores in photos.items() for row in _score_rows(what, scores)]
    rules = [
        (
            point.name + (" (fewer than ten expected errors)" if point.coarse else ""),
            f"{point.threshold:.3f}",
            rate(point.fmr, point.fmr_interval),
            rate(point.fnmr, point.fnmr_interval),
        )
        for point in c.operating_points
    ]
    return CALIBRATED.format(
        c=c,
        fitted_on=CROPS.get(c.fitted_on, c.fitted_on),
        scores=table(("photos", "pairs", "ECE", "NLL", "Brier score"), scores),
        rules=table(("rule", "the same person from similarity", "FMR", "FNMR"), rules),
    )


def _score_rows(what: str, scores: Scores) -> Iterable[tuple[str, ...]]:
    ece = with_band(scores.ece, scores.ece_band)
    yield what, f"{scores.n:,}", ece, f"{scores.nll:.4f}", f"{scores.brier:.4f}"
    if scores.ece_uncertain is not None and scores.ece_uncertain_band is not None:
        ece = with_band(scores.ece_uncertain, scores.ece_uncertain_band)
        yield f"{what}, those with 0.05 < p < 0.95", f"{scores.n_uncertain:,}", ece, "", ""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "unnamed"
