from libc.stdint cimport int64_t

cimport cython

from pgallop.codecs cimport integers
from pgallop.codecs.codec cimport Codec
from pgallop.wire cimport bigendian
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef double FLOAT4_OVERFLOW
cdef double FLOAT4_UNDERFLOW


cdef class BoolCodec(Codec):
    pass


cdef class IntegerCodec(Codec):
    cdef int64_t low
    cdef int64_t high

    @cython.locals(number=int64_t)
    cdef int64_t number(self, object value) except? -1


cdef class Int2Codec(IntegerCodec):
    pass


cdef class Int4Codec(IntegerCodec):
    pass


cdef class Int8Codec(IntegerCodec):
    pass


cdef class OidCodec(IntegerCodec):
    pass


cdef class FloatCodec(Codec):
    cdef double number(self, object value) except? -1


cdef class Float4Codec(FloatCodec):
    @cython.locals(number=double)
    cdef int encode(self, Writer writer, object value) except -1


cdef class Float8Codec(FloatCodec):
    pass
