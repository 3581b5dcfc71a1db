from libc.stdint cimport int64_t

cimport cython

from pgallop.codecs.numeric cimport NumericCodec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class MoneyCodec(NumericCodec):
    cdef readonly int digits
