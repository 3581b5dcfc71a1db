from libc.stdint cimport int32_t

cimport cython

from pgallop.codecs cimport arrays, clist
from pgallop.codecs.arrays cimport ArrayCodec
from pgallop.codecs.codec cimport Codec
from pgallop.codecs.extensions cimport cvector
from pgallop.wire cimport bigendian
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef double FLOAT4_OVERFLOW
cdef double FLOAT4_UNDERFLOW
cdef double HALF_OVERFLOW
cdef Py_ssize_t MAX_DIMENSIONS
cdef Py_ssize_t MAX_ELEMENTS
cdef Py_ssize_t MAX_SPARSE_DIMENSIONS


cdef class NumbersCodec(Codec):
    cdef double limit
    cdef readonly str numbers

    @cython.locals(i=Py_ssize_t, number=double)
    cdef int write_numbers(self, Writer writer, tuple items) except -1
    cdef object misfit(self, object items, Py_ssize_t i, str reason)
    cdef int write_number(self, Writer writer, double number) except -1


cdef class DenseCodec(NumbersCodec):
    cdef Py_ssize_t width
    cdef object frombuffer
    cdef object sent
    cdef object native

    cdef int write_items(self, Writer writer, object items) except -1
    cdef int write_head(self, Writer writer, object value, Py_ssize_t count) except -1
    cdef bint write_buffer(self, Writer writer, object value) except -1

    @cython.locals(count=Py_ssize_t, unused=int)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    @cython.locals(values=list, i=Py_ssize_t, pos=Py_ssize_t)
    cdef list read_list(self, Reader reader, Py_ssize_t count)
    cdef double load(self, Reader reader, Py_ssize_t pos)


cdef class VectorCodec(DenseCodec):
    @cython.locals(data=bytes, pos=Py_ssize_t, count=Py_ssize_t, wrong=Py_ssize_t)
    cdef bint write_buffer(self, Writer writer, object value) except -1


cdef class HalfvecCodec(DenseCodec):
    pass


cdef class SparsevecCodec(NumbersCodec):
    @cython.locals(indices=tuple, numbers=tuple, count=Py_ssize_t, i=Py_ssize_t, number=double)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(dimensions=int32_t, count=int32_t, unused=int32_t, i=Py_ssize_t, index=int32_t,
                   last=int32_t, indices=list, numbers=list)
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class VectorArrayCodec(ArrayCodec):
    pass
