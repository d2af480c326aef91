"""Lists of pairs in files: read, compared row by row, written with what was found, overviewed."""

from xfv_core.lists.reading import ListError, PairList, read_list
from xfv_core.lists.running import Run, finish, work_through

__all__ = ["ListError", "PairList", "Run", "finish", "read_list", "work_through"]
