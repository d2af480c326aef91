"""The operating points of a conditional curve, and what they do on several populations."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from xfv_core.confidence.conditional import PairCurve, PairRule, Rates, evidence
from xfv_core.confidence.curves import Floats, Labels
from xfv_core.confidence.measures import Table
from xfv_core.confidence.scores import operating_points, wilson


class JudgedPairs(Protocol):
    """N labelled pairs with the measures of both photos."""

    @property
    def similarities(self) -> Floats: ...
    @property
    def a(self) -> Table: ...
    @property
    def b(self) -> Table: ...
    @property
    def labels(self) -> Labels: ...


def rules_for(curve: PairCurve, found: JudgedPairs, population: str) -> tuple[PairRule, ...]:
    """The five operating points, chosen on these pairs and measured on them."""
    left = evidence(found.similarities, curve.bars(found.a, found.b))
    points = operating_points(left, found.labels, 0.0)
    rules = tuple(PairRule(point.name, point.threshold, {}) for point in points)
    return with_rates(replace(curve, rules=rules), found, population).rules


def with_rates(curve: PairCurve, found: JudgedPairs, population: str) -> PairCurve:
    """The curve with each rule's error rates on one more population."""
    bars, y = curve.bars(found.a, found.b), found.labels
    rules = []
    for rule in curve.rules:
        same = found.similarities >= curve.thresholds(bars, rule.name)
        rates = rates_of(same, y)
        rules.append(replace(rule, rates={**rule.rates, population: rates}))
    return replace(curve, rules=tuple(rules))


def rates_of(same: Labels, y: Labels) -> Rates:
    """Error rates of verdicts (N,), with Wilson intervals."""
    n_genuine, n_impostor = int(y.sum()), int((~y).sum())
    false_matches, misses = int((same & ~y).sum()), int((~same & y).sum())
    return Rates(
        n_impostor,
        n_genuine,
        false_matches / n_impostor,
        wilson(false_matches, n_impostor),
        misses / n_genuine,
        wilson(misses, n_genuine),
    )
