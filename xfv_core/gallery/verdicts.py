"""One model's verdicts as columns, to be filtered and put in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xfv_core.confidence.verdicts import Answer
from xfv_core.gallery.files import GalleryError, fidelity_column

OUTCOMES = ("all", "right", "wrong", "false match", "false non-match")
ORDERS = (
    "as listed", "least confident first", "most confident first",
    "methods disagree most", "least faithful first", "most faithful first",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Verdicts:
    """One model's N pairs as columns, in the order of the pair list.

    ``threshold``: of each pair, by which ``same`` was decided; ``answer`` may be "cannot tell"
    besides. ``confidence`` is NaN where the model is not calibrated or its number and verdict
    disagree; ``agreement`` (mean rank correlation of the methods' maps) and ``fidelity`` (deletion
    gain, by method) are NaN where no maps are stored.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    genuine: NDArray[np.bool_]
    same: NDArray[np.bool_]
    answer: tuple[Answer, ...]
    similarity: NDArray[np.float64]
    threshold: NDArray[np.float64]
    probability: NDArray[np.float64]
    confidence: NDArray[np.float64]
    agreement: NDArray[np.float64]
    fidelity: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.a)

    def chosen(
        self,
        outcome: str = "all",
        confidence: tuple[float, float] = (0.0, 1.0),
        order: str = "as listed",
        method: str = "",
    ) -> NDArray[np.intp]:
        """Rows of one of ``OUTCOMES`` with a confidence in the range, in one of ``ORDERS``.

        Rows without a confidence are in no range but the whole one. What an order
        knows nothing of comes last. Raises GalleryError for other words.
        """
        if outcome not in OUTCOMES or order not in ORDERS:
            raise GalleryError(f"There is no {outcome!r} or {order!r} to choose here.")
        wrong = self.genuine != self.same
        kinds = {
            "all": np.ones(len(self), bool), "right": ~wrong, "wrong": wrong,
            "false match": wrong & self.same, "false non-match": wrong & ~self.same,
        }  # fmt: skip
        low, high = confidence
        inside = (self.confidence >= low) & (self.confidence <= high)
        inside |= np.isnan(self.confidence) & (low <= 0) & (high >= 1)
        rows = np.flatnonzero(kinds[outcome] & inside)
        nothing = np.full(len(self), np.nan)
        faithful = self.fidelity.get(method, nothing)
        keys = dict(zip(ORDERS[1:], (
            self.confidence, -self.confidence, self.agreement, faithful, -faithful,
        ), strict=True))  # fmt: skip
        return rows[np.argsort(keys.get(order, nothing)[rows], kind="stable")]


def read_columns(table: pa.Table, methods: Sequence[str]) -> Verdicts:
    def column(name: str) -> NDArray[Any]:
        return table[name].to_numpy().astype(np.float64)

    def flags(name: str) -> NDArray[np.bool_]:
        return table[name].to_numpy(zero_copy_only=False).astype(bool)

    names = ("similarity", "threshold", "probability", "confidence", "agreement")
    return Verdicts(
        a=tuple(table["a"].to_pylist()),
        b=tuple(table["b"].to_pylist()),
        genuine=flags("genuine"),
        same=flags("same"),
        answer=tuple(table["answer"].to_pylist()),
        **{name: column(name) for name in names},
        fidelity={method: column(fidelity_column(method)) for method in methods},
    )
