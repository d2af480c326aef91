"""What somebody wants to know about two photos, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xfv_core.explain import Method, make_method
from xfv_core.faces.images import PhotoSource

Source = PhotoSource  # of a photo: whatever `Photo.of` takes


@dataclass(frozen=True)
class Ask:
    """Two photos, what they are judged by and how that is to be explained.

    photos : the first and the second.    pick : which face of each, 0 the largest.
    model : name of the network; None the default one, for reasons the first that ``method`` can
        explain.
    rule : the operating point, whose threshold decides.
    threshold : a cosine similarity that decides instead of the rule's, None for the rule's.
    method, options : of the explanation.
    """

    photos: tuple[Source, Source]
    pick: tuple[int, int] = (0, 0)
    model: str | None = None
    rule: str = "balanced"
    threshold: float | None = None
    method: str = "occlusion"
    options: Mapping[str, Any] = field(default_factory=dict)

    def explainer(self) -> Method:
        """The method with its options; MethodError where one of them does not exist."""
        return make_method(self.method, **self.options)
