from libc.stdint cimport int32_t

cimport cython

from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader


cdef class TsvectorCodec(Codec):
    @cython.locals(count=int32_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    @cython.locals(position=int)
    cdef str position(self, Reader reader)


cdef class TsqueryCodec(Codec):
    @cython.locals(count=int32_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    @cython.locals(weights=int, kind=int, operator=int)
    cdef tuple item(self, Reader reader)
