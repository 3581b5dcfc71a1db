cimport cython

from pgallop.codecs cimport arrays, clist
from pgallop.codecs.arrays cimport ArrayCodec
from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef object new
cdef int EMPTY
cdef int OF_LOWER
cdef int OF_UPPER
cdef int NO_LOWER
cdef int NO_UPPER


cdef bint is_sent(int flags) noexcept


cdef class RangeCodec(Codec):
    cdef readonly Codec element

    @cython.locals(flags=int)
    cdef int encode(self, Writer writer, object value) except -1

    cdef object range_of(self, object value)

    @cython.locals(start=Py_ssize_t, element=Codec)
    cdef object write_bound(self, Writer writer, object bound, str place)

    @cython.locals(flags=int)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    @cython.locals(size=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, element=Codec)
    cdef object read_bound(self, Reader reader, str which)


cdef class MultirangeCodec(Codec):
    cdef readonly Codec element

    @cython.locals(count=Py_ssize_t, i=Py_ssize_t, start=Py_ssize_t)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(values=list, count=Py_ssize_t, i=Py_ssize_t, size=Py_ssize_t, start=Py_ssize_t,
                   end=Py_ssize_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class MultirangeArrayCodec(ArrayCodec):
    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t nested(self, object value) except -2
