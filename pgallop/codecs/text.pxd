cimport cython

from pgallop.codecs cimport ctext
from pgallop.codecs.codec cimport Codec
from pgallop.wire cimport bigendian
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef tuple CHARACTERS


cdef class StrCodec(Codec):
    @cython.locals(pos=Py_ssize_t, size=Py_ssize_t)
    cdef int write_text(self, Writer writer, object text) except -1
    cdef bytes utf8(self, object text)


cdef class TextCodec(StrCodec):
    cdef readonly Codec binary


cdef class XmlCodec(StrCodec):
    pass


cdef class VersionedCodec(StrCodec):
    pass


cdef class CharCodec(Codec):
    cdef int byte(self, object value) except -1


cdef class VoidCodec(Codec):
    pass
