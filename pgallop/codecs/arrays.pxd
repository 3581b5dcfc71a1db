from libc.stdint cimport int32_t, uint32_t

cimport cython

from pgallop.codecs cimport clist, integers
from pgallop.codecs.codec cimport Codec
from pgallop.wire cimport bigendian
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef int MAX_ARRAY_DIMENSIONS
cdef int BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8


cdef class ArrayCodec(Codec):
    cdef readonly Codec element
    cdef int32_t lower_bound

    @cython.locals(shape=tuple, flags=Py_ssize_t)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(lengths=list, length=Py_ssize_t)
    cdef tuple shape(self, object value)
    cdef Py_ssize_t nested(self, object value) except -2

    @cython.locals(i=Py_ssize_t, length=Py_ssize_t, start=Py_ssize_t, element=Codec,
                   innermost=bint, nulls=bint)
    cdef bint write_items(self, Writer writer, object items, tuple shape, int depth) except -1

    @cython.locals(dimensions=int, flags=int32_t, oid=uint32_t, room=Py_ssize_t,
                   count=Py_ssize_t, length=Py_ssize_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    cdef list read_nested(self, Reader reader, tuple shape, int depth)

    @cython.locals(values=list, element=Codec, i=Py_ssize_t, size=Py_ssize_t, start=Py_ssize_t,
                   end=Py_ssize_t)
    cdef list read_items(self, Reader reader, Py_ssize_t count)


cdef class FixedWidthCodec(ArrayCodec):
    cdef Py_ssize_t width
    cdef int kind

    @cython.locals(values=list, i=Py_ssize_t, pos=Py_ssize_t, width=Py_ssize_t,
                   step=Py_ssize_t, kind=int)
    cdef list read_items(self, Reader reader, Py_ssize_t count)


cdef class SequencesCodec(ArrayCodec):
    pass


cdef class TuplesCodec(ArrayCodec):
    pass


cdef class VectorCodec(ArrayCodec):
    pass


cdef Py_ssize_t count_items(object value) except -2
