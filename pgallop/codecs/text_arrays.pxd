cimport cython

from pgallop.codecs.arrays cimport ArrayCodec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class TextArrayCodec(ArrayCodec):
    cdef readonly object form

    @cython.locals(binary=Writer)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(binary=Reader)
    cdef object decode(self, Reader reader, Py_ssize_t size)
