"""Maps become pictures here and nowhere else: colours, placement, legend, figure, file."""

from xfv_core.overlay.colours import blend, shared_scale
from xfv_core.overlay.figure import (
    ENDS,
    encode,
    legend,
    legend_colours,
    side_by_side,
    two_figures,
)
from xfv_core.overlay.placement import overlay_crop, overlay_photo

__all__ = [
    "ENDS",
    "blend",
    "encode",
    "legend",
    "legend_colours",
    "overlay_crop",
    "overlay_photo",
    "shared_scale",
    "side_by_side",
    "two_figures",
]
