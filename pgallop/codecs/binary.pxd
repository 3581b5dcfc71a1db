from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class ByteaCodec(Codec):
    cdef bytes copy(self, Writer writer, object value)
