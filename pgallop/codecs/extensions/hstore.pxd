from libc.stdint cimport int32_t

cimport cython

from pgallop.codecs.text cimport StrCodec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class HstoreCodec(StrCodec):
    @cython.locals(pairs=dict, exact=bint)
    cdef int encode(self, Writer writer, object value) except -1

    cdef dict mapping(self, object value)

    @cython.locals(start=Py_ssize_t)
    cdef int write_item(self, Writer writer, object text) except -1

    @cython.locals(count=int32_t, size=Py_ssize_t, pairs=dict)
    cdef object decode(self, Reader reader, Py_ssize_t size)
