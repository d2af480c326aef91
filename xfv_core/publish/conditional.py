"""The part of a model card on a bar that moves with the pair: its fit, and how often it errs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from xfv_core.confidence.conditional import PairCurve, Rates
from xfv_core.confidence.measures import MEASURES
from xfv_core.publish.tables import rate, table, with_band
from xfv_core.weights.manifest import ModelCard

TEXT = """\
**The bar of a pair.** The similarity from which two photos count as one person moves with measures
of both photos, and so does the steepness of the probability: logit P = κ (s - θ), θ and ln κ linear
in the measures, each within the range that was fitted.{faces}

A photo beyond that range, or a P between 25 and 75 %, is answered with "cannot tell". No
probability is given above {cap:.2%}, because {n:,} pairs of a kind allow no more.

Fitted so: {protocol}.

{measures}

**Its rules**, with 95 % intervals.

{rules}

Photos of other kinds than those were not measured, nor were twins, look-alikes and children."""

COHORT = (
    "\nTwo of them compare a photo with mean embeddings of three or more faces each, which are in "
    "`{file}`, {bytes:,} bytes, sha256 `{sha256}`."
)
JUDGED = """\
**The probability on labelled pairs**, by that curve and, in brackets, by the one that takes no
measures. ECE: expected calibration error; C_llr in bits.

{table}"""


def sections(card: ModelCard, curve: PairCurve, cohort: str) -> Iterator[str]:
    """``cohort``: the name of its file in the repository."""
    pin = card.cohort
    faces = COHORT.format(file=cohort, bytes=pin.bytes, sha256=pin.sha256) if pin else ""
    yield TEXT.format(
        faces=faces,
        cap=curve.cap,
        n=min(curve.n_genuine, curve.n_impostor),
        protocol=curve.protocol,
        measures=_measures(curve),
        rules=_rules(curve),
    )
    judged = {
        name: row
        for name, row in card.figures.results.items()
        if row.get("measures") and row.get("alone")
    }
    if judged:
        yield _judged(judged)


def _measures(curve: PairCurve) -> str:
    rows = [
        (
            MEASURES[term.measure].title,
            term.side,
            f"{term.low:.2f} to {term.high:.2f} ({MEASURES[term.measure].unit})",
            f"{term.bar:+.3f}",
            f"{term.slope:+.3f}",
        )
        for term in curve.terms
    ]
    head = ("measure", "of the two photos the", "fitted range", "a unit adds to θ", "to ln κ")
    return table(head, rows)


def _rules(curve: PairCurve) -> str:
    rows = [
        (rule.name, population, rate(rates.fmr, rates.fmr_interval), _misses(rates))
        for rule in curve.rules
        for population, rates in rule.rates.items()
    ]
    return table(("rule", "people", "FMR", "FNMR"), rows)


def _misses(rates: Rates) -> str:
    if rates.fnmr is None or rates.fnmr_interval is None:
        return "not measured"
    return rate(rates.fnmr, rates.fnmr_interval)


def _judged(results: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        (
            f"{name} ({row['n']:,} pairs)",
            f"{with_band(p['ece'], p['ece_band'])} [{alone['ece']:.4f}]",
            f"{p['cllr']:.3f} [{alone['cllr']:.3f}]",
            _sure(p["above_99"]),
        )
        for name, row in results.items()
        for p, alone in [(row["probability"], row["alone"]["probability"])]
    ]
    head = ("pairs", "ECE", "C_llr", "surer than 99 %: of the pairs, and right of those")
    return JUDGED.format(table=table(head, rows))


def _sure(found: Mapping[str, Any]) -> str:
    if found["right"] is None:
        return "0 %"
    return f"{found['share']:.1%}, {rate(found['right'], found['right_interval'])}"
