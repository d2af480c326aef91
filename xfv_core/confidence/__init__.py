"""From a similarity to a probability and a verdict, and the measure of both."""

from xfv_core.confidence.calibration import (
    CROPS,
    Calibration,
    Decision,
    SimilarityHistogram,
    cross_validated,
    decide,
    decide_at,
    fit,
)
from xfv_core.confidence.curves import CalibrationError, PlattCurve, XFaceCurve
from xfv_core.confidence.scores import OperatingPoint, ReliabilityBin, Scores

__all__ = [
    "CROPS",
    "Calibration",
    "CalibrationError",
    "Decision",
    "OperatingPoint",
    "PlattCurve",
    "ReliabilityBin",
    "Scores",
    "SimilarityHistogram",
    "XFaceCurve",
    "cross_validated",
    "decide",
    "decide_at",
    "fit",
]
