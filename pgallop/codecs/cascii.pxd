# Interpreted twin: cascii.py (this header is C only, nothing to compile)
cdef extern from "cascii.h":
    str new_ascii "pgallop_new_ascii"(Py_ssize_t size)
    unsigned char *base "pgallop_ascii_base"(str text)
    str filled "pgallop_ascii_filled"(str text)
