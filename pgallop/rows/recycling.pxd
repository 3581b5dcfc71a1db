# Interpreted twin: recycling.py (this header is C only, nothing to compile)
from pgallop.rows.record cimport Record


cdef extern from "recycling.h":
    void recycle "pgallop_recycle"(object type)
    Record kept "pgallop_kept"(Py_ssize_t width)
