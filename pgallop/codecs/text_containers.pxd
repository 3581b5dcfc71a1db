cimport cython

from pgallop.codecs cimport arrays
from pgallop.codecs.arrays cimport ArrayCodec
from pgallop.codecs.codec cimport Codec
from pgallop.codecs.text_arrays cimport TextArrayCodec
from pgallop.codecs.textual cimport Textual
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class TextContainerCodec(Textual):
    cdef readonly Codec binary
    cdef readonly Codec writing


cdef class MixedArrayCodec(TextArrayCodec):
    cdef readonly Codec binary
    cdef readonly Codec writing
    cdef readonly bytes delimiter
    cdef readonly bint of_tuples

    @cython.locals(buffer=Writer)
    cdef int encode(self, Writer writer, object value) except -1
    cdef Py_ssize_t nested(self, object value) except -2
