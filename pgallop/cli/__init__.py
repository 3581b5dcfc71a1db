"""The command line: what `python -m pgallop ...` runs."""
