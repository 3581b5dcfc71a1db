# Interpreted twin: ctext.py (this header is C only, nothing to compile)
cdef extern from "ctext.h":
    bint is_ascii "pgallop_is_ascii"(object text)
    const unsigned char *ascii_bytes "pgallop_ascii_bytes"(object text)
    bytes utf8_bytes "PyUnicode_AsUTF8String"(object text)
