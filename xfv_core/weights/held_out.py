"""People whom no network of this project may have learnt from.

They choose training recipes and fit calibrations; a figure on people that a network has seen in
training would be too good. The photos and their labels are those that DATA.md describes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

HELD_OUT_PEOPLE = 8  # one labelled person in so many


def held_out(labels: ArrayLike, every: int = HELD_OUT_PEOPLE) -> NDArray[np.bool_]:
    """Which photos show one of them: label % every == every - 1, for labels (N,) of whole numbers.

    Photos of unknown people have a label below 0 and are never held out. The default leaves out 41
    of the 329 labelled people.
    """
    import numpy as np  # the command line starts without it

    labels = np.asarray(labels, dtype=np.int64)
    return (labels >= 0) & (labels % every == every - 1)
