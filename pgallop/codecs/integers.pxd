# Interpreted twin: integers.py (this header is C only, nothing to compile)
from libc.stdint cimport int64_t


cdef extern from "integers.h":
    object integer "pgallop_integer"(int64_t number)
    int fill "pgallop_fill_integer"(list values, Py_ssize_t i, int64_t number) except -1
