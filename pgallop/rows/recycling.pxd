# Interpreted twin: recycling.py (this header is C only, nothing to compile)
cdef extern from "recycling.h":
    void recycle "pgallop_recycle"(object type)
