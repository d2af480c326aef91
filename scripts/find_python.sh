#!/bin/sh
# Prints a Python 3.10, 3.11 or 3.12 that runs; $PYTHON comes first.
for candidate in $PYTHON python3.12 python3.11 python3.10 python3 python; do
    if "$candidate" -c 'import sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
        >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
done
echo "No Python 3.10, 3.11 or 3.12 with venv found; install one or run make PYTHON=/path/to/it" >&2
exit 1
