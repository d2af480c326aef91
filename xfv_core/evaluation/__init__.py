"""Measuring: pair sets and studies of verdicts, maps, channels and speed."""
