from libc.stdint cimport int32_t

cimport cython

from pgallop.codecs.binary cimport ByteaCodec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef Py_ssize_t MAX_BITS


cdef class BitsCodec(ByteaCodec):
    @cython.locals(data=bytes, length=Py_ssize_t)
    cdef int encode(self, Writer writer, object value) except -1

    cdef bytes octets(self, Writer writer, object value)

    @cython.locals(data=bytes, length=int32_t, room=Py_ssize_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)
