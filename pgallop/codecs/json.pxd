from pgallop.codecs.text cimport StrCodec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class JsonCodec(StrCodec):
    cdef readonly object encoder
    cdef readonly object decoder
    cdef bint takes_bytes


cdef class JsonbCodec(JsonCodec):
    pass
