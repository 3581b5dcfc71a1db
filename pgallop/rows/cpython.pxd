# Interpreted twin: cpython.py (this header is C only, nothing to compile)
cdef extern from "cpython.h":
    tuple new_tuple "pgallop_new_tuple"(Py_ssize_t size)
    void fill "pgallop_fill"(tuple values, Py_ssize_t i, object value)
    tuple filled "pgallop_filled"(tuple values)
    void untrack "pgallop_untrack"(object value)
    void track "pgallop_track"(object value)
