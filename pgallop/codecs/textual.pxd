from pgallop.codecs.codec cimport Codec
from pgallop.codecs.text cimport TextCodec
from pgallop.wire.reader cimport Reader


cdef class Textual(Codec):
    cdef readonly Codec codec
    cdef readonly object form
