# Interpreted twin: cuuid.py (this header is C only, nothing to compile)
cdef extern from "cuuid.h":
    int prepare "pgallop_uuid_prepare"(object type, object unknown) except -1
    object load_uuid "pgallop_uuid_load"(const unsigned char *base, Py_ssize_t pos)
    int store_uuid "pgallop_uuid_store"(
        unsigned char *base, Py_ssize_t pos, object value) except -1
    int store_text "pgallop_uuid_store_text"(
        unsigned char *base, Py_ssize_t pos, object text) except -1
