"""Maps become pictures here and nowhere else: colours, placement, legend, figure, file."""

from xfv_core.overlay.colours import blend, shared_scale
from xfv_core.overlay.figure import encode, legend, legend_html, side_by_side
from xfv_core.overlay.placement import overlay_crop, overlay_photo

__all__ = [
    "blend",
    "encode",
    "legend",
    "legend_html",
    "overlay_crop",
    "overlay_photo",
    "shared_scale",
    "side_by_side",
]
