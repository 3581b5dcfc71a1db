from libc.stdint cimport int32_t

cimport cython

from pgallop.codecs cimport arrays, clist
from pgallop.codecs.codec cimport Codec
from pgallop.wire cimport bigendian
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef object make


@cython.locals(x=double, y=double)
cdef object read_point(Reader reader)


cdef class GeometricCodec(Codec):
    cdef object items(self, object value, Py_ssize_t count, str expected)
    cdef double number(self, object items, Py_ssize_t i) except? -1
    cdef int write_point(self, Writer writer, object items, Py_ssize_t i) except -1

    @cython.locals(count=Py_ssize_t, i=Py_ssize_t)
    cdef int write_points(self, Writer writer, tuple points) except -1

    @cython.locals(count=int32_t, i=int32_t, points=list)
    cdef tuple read_points(self, Reader reader)


cdef class PointCodec(GeometricCodec):
    pass


cdef class LineCodec(GeometricCodec):
    @cython.locals(a=double, b=double, c=double)
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class PairCodec(GeometricCodec):
    cdef readonly type kind


cdef class CircleCodec(GeometricCodec):
    @cython.locals(radius=double)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(radius=double)
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class PathCodec(GeometricCodec):
    @cython.locals(points=tuple, closed=bint)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(closed=int)
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class PolygonCodec(GeometricCodec):
    @cython.locals(points=tuple)
    cdef int encode(self, Writer writer, object value) except -1
