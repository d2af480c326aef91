"""One command on one or many processes of ``accelerate launch``, with a bar on the first."""

from __future__ import annotations

from collections.abc import Callable

import torch
from accelerate import PartialState
from tqdm import tqdm


def over_processes(work: Callable[..., None], unit: str) -> bool:
    """``work(process=(index, count), steps=…)`` here, then wait for the others.

    ``steps`` takes (units done, units to do). Returns whether this is the process that sums up.
    """
    workers = PartialState(cpu=not torch.cuda.is_available())
    bar = tqdm(disable=not workers.is_main_process, unit=unit)

    def steps(done: int, todo: int) -> None:
        bar.total = todo
        bar.update(done - bar.n)

    work(process=(workers.process_index, workers.num_processes), steps=steps)
    workers.wait_for_everyone()
    return bool(workers.is_main_process)
