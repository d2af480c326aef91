"""The folder of uploads and results: how much it may hold, and for how long."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from page import FOLDER
from xfv_core import XfvError

KEEP_SECONDS = int(os.environ.get("XFV_KEEP_SECONDS", "300"))
SWEEP_SECONDS = max(1, min(60, KEEP_SECONDS // 5))
MAX_BYTES, MAX_FILES = 2_000_000_000, 20_000  # of all visitors; folders count as files


class FullError(XfvError):
    """The folder holds as much as it may."""


def check_space() -> None:
    """Raise FullError where nothing more may be written for now."""
    sizes = [found.st_size for _, found in entries()]
    if sum(sizes) > MAX_BYTES or len(sizes) > MAX_FILES:
        raise FullError("The server holds too many photos at the moment; try again in 5 minutes.")


def written(files: Mapping[str, bytes]) -> list[Path]:
    """The files of one result, by their names, in a folder of their own.

    Raises FullError, also where a server that ends has removed its folder.
    """
    check_space()
    try:
        folder = Path(tempfile.mkdtemp(dir=FOLDER.name))
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except FileNotFoundError as gone:
        raise FullError("The server is about to stop; try again in a minute.") from gone
    return [folder / name for name in files]


def entries() -> Iterator[tuple[Path, os.stat_result]]:
    """Every file and folder, what is inside first; what goes away meanwhile is left out."""
    for inside, folders, files in os.walk(FOLDER.name, topdown=False):
        for path in (Path(inside, name) for name in (*files, *folders)):
            try:
                found = path.lstat()
            except OSError:
                continue
            yield path, found


def sweep(spared: Collection[Path], seconds: float) -> None:
    """Remove files that are older than ``seconds``, and folders that have been empty as long.

    Gradio removes the files it knows of; uploads that were broken off, what our own callbacks
    wrote and the folders themselves it does not know.
    """
    before = time.time() - seconds
    for path, found in entries():
        if path not in spared and found.st_ctime < before:
            with suppress(OSError):  # not empty, or gone by now
                path.rmdir() if stat.S_ISDIR(found.st_mode) else path.unlink()
