# Interpreted twin: cpython.py (this header is C only, nothing to compile)
from pgallop.codecs.codec cimport Codec


cdef extern from "cpython.h":
    tuple new_tuple "pgallop_new_tuple"(Py_ssize_t size)
    void fill "pgallop_fill"(tuple values, Py_ssize_t i, object value)
    tuple filled "pgallop_filled"(tuple values)
    # Unchecked: whoever fills the tuple sees that there are codecs in it and nothing else.
    Codec codec_at "pgallop_item"(tuple codecs, Py_ssize_t i)
    void untrack "pgallop_untrack"(object value)
    void track "pgallop_track"(object value)
