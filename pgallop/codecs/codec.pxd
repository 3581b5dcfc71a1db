from libc.stdint cimport uint32_t

from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class Codec:
    cdef readonly uint32_t oid
    cdef readonly str name
    cdef readonly str accepts
    cdef readonly int format
    cdef readonly bint atomic

    cdef int encode(self, Writer writer, object value) except -1
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class Unresolved(Codec):
    pass


cdef class Verbatim(Codec):
    pass
