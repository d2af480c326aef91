"""python -m xfv_core: the command line."""

from xfv_core.cli import main

if __name__ == "__main__":
    main()
