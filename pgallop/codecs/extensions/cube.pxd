from libc.stdint cimport uint32_t

cimport cython

from pgallop.codecs cimport clist
from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef uint32_t POINT
cdef Py_ssize_t MAX_DIMENSIONS


cdef class CubeCodec(Codec):
    @cython.locals(low=tuple, high=tuple, point=bint, dimensions=Py_ssize_t)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(i=Py_ssize_t)
    cdef int write_corner(self, Writer writer, tuple corner) except -1

    @cython.locals(head=uint32_t, dimensions=Py_ssize_t, room=Py_ssize_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    @cython.locals(numbers=list, i=Py_ssize_t)
    cdef tuple read_corner(self, Reader reader, Py_ssize_t dimensions)


cdef class CubeTextCodec(Codec):
    cdef readonly CubeCodec binary
