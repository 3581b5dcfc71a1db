# Interpreted twin: cinterval.py (this header is C only, nothing to compile)
cdef extern from "cinterval.h":
    object new_interval "pgallop_new_interval"(object kind, object slot, int days, int seconds,
                                               int microseconds, tuple parts)
