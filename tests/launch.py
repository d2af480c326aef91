"""Programs under the launcher, as users start them on several processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


def run_processes(count: int, program: list[str]) -> int:
    """Exit status of ``program`` under the launcher (which refuses a port that is taken)."""
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    launcher = [sys.executable]
    if count > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        launcher += ["-m", "accelerate.commands.launch", "--multi_gpu"]
        launcher += ["--num_processes", str(count), "--num_machines", "1"]
        launcher += ["--main_process_port", str(port)]
    return subprocess.run([*launcher, *program], cwd=root, env=environment).returncode
