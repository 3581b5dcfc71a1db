# Interpreted twin: cvector.py (this header is C only, nothing to compile)
cdef extern from "cvector.h":
    double load_half "pgallop_load_half"(const unsigned char *base, Py_ssize_t pos)
    int store_half "pgallop_store_half"(
        unsigned char *base, Py_ssize_t pos, double value) except -1
    Py_ssize_t store_floats "pgallop_store_floats"(
        unsigned char *base, Py_ssize_t pos, const unsigned char *source, Py_ssize_t count)
