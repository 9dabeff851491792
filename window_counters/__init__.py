"""Windowed counters of a partition, with the mark that says of which prefix of the log they are true."""
