"""Channels without a part are told from those that have one."""

from __future__ import annotations

from torch import Tensor

from xfv_core.evaluation.channels.beside import beside_the_face

from .test_parts import colours, crops


def test_a_channel_that_looks_beside_the_face_is_found() -> None:
    # three channels: the left eye, the mouth, and one that always fires in the corner
    assert beside_the_face(colours, crops(40), below=0.2) == {2}
    assert beside_the_face(colours, crops(40), below=0) == set()


def test_a_silent_channel_counts_as_beside_the_face() -> None:
    def second_silent(x: Tensor) -> Tensor:
        maps = colours(x).clone()
        maps[:, 1] = 0
        return maps

    assert beside_the_face(second_silent, crops(10), below=0.2) == {1, 2}
