from pgallop.codecs.binary cimport ByteaCodec
from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class EwkbCodec(ByteaCodec):
    cdef bytes ewkb(self, Writer writer, object value)


cdef class ShapelyCodec(EwkbCodec):
    cdef object from_wkb
