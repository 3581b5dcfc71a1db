cimport cython

from pgallop.codecs cimport cuuid
from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class UuidCodec(Codec):
    @cython.locals(pos=Py_ssize_t)
    cdef int encode(self, Writer writer, object value) except -1
