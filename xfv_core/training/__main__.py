"""``python -m xfv_core.training --config rrf56 --data DIR --out DIR``.

On N processes, CPU cores or GPUs alike:
``accelerate launch --multi_gpu --num_processes N -m xfv_core.training ...`` (``--cpu`` would
start a single process). The same command again resumes from the last checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from accelerate import PartialState

from xfv_core.errors import XfvError
from xfv_core.training.config import load_config
from xfv_core.training.data import load_training_set
from xfv_core.training.loop import Trainer


def train(config: str, data: Path, out: Path, cache: Path, until: int | None = None) -> None:
    """Train a config's network, resuming what ``out`` holds; results and curves go to ``out``.

    ``cache`` keeps the decoded photos (55 kB each); ``until`` stops after that many steps.
    """
    settings = load_config(config)
    with PartialState(cpu=not torch.cuda.is_available()).main_process_first():
        photos = load_training_set(data, cache, settings.teachers)
    Trainer(settings, photos, out).run(until)


def main() -> int:
    """Parse the command line and train; a refused input is one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="xfv_core.training", description="Train a network.")
    parser.add_argument("--config", required=True, help="model name or JSON file")
    parser.add_argument("--data", type=Path, required=True, help="folder with faces_train-*.tar")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, curves, weights")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded photos")
    parser.add_argument("--until", type=int, help="stop after this many steps, to resume later")
    args = parser.parse_args()
    try:
        train(args.config, args.data, args.out, args.cache, args.until)
    except XfvError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
