from libc.stdint cimport int64_t, uint32_t

cimport cython

from pgallop.codecs cimport cascii
from pgallop.codecs.codec cimport Codec
from pgallop.wire cimport bigendian
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer

cdef int NEGATIVE
cdef int MAX_WEIGHT
cdef int MAX_SCALE
cdef int MAX_ZEROS
cdef int MINUS
cdef int POINT
cdef int ZERO
cdef int NINE
cdef int BIG_E
cdef int SMALL_E


cdef class NumericCodec(Codec):
    @cython.locals(text=bytes)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(base="const unsigned char *", size=Py_ssize_t, negative=bint,
                   start=Py_ssize_t, end=Py_ssize_t, point=Py_ssize_t, i=Py_ssize_t,
                   exponent=int64_t, digits=int64_t, header=Py_ssize_t, weight=int64_t, count=int,
                   scale=int, target="unsigned char *")
    cdef int encode_finite(self, Writer writer, object value, bytes text) except -1

    @cython.locals(begin=Py_ssize_t, kept=Py_ssize_t, first=int64_t, group=int, padding=int,
                   i=Py_ssize_t)
    cdef int64_t write_digits(
        self, Writer writer, const unsigned char *base, Py_ssize_t start, Py_ssize_t end,
        int64_t exponent, int64_t place) except? -1

    cdef object number(self, object value)
    cdef object integer(self, object value)

    @cython.locals(count=int, weight=int, sign=int, scale=int, number=int64_t,
                   place=int)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    @cython.locals(exponent=int, digits=str, significant=str)
    cdef object read_short(self, Reader reader, int count, int weight, int sign, int scale)

    @cython.locals(highest=int, size=Py_ssize_t, target="unsigned char *", pos=Py_ssize_t,
                   lowest=int, place=int, digit=uint32_t, decimal=uint32_t, significant=uint32_t)
    cdef str read_text(self, Reader reader, int count, int weight, int sign, int scale)

    cdef int read_digit(self, Reader reader) except -1
    cdef object decode_special(self, int sign, int count)
