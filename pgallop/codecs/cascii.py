"""An ASCII string that is filled in place, as plain Python.

Compiled modules cimport the same names from `cascii.pxd` and never reach this file. There it is a
str from the start, so it must not be empty, and every byte has to be written before anybody else
sees it; here a bytearray stands in for it until it is complete.
"""

new_ascii = bytearray


def base(text: bytearray) -> bytearray:
    return text


def filled(text: bytearray) -> str:
    return text.decode("ascii")
