cimport cython

from pgallop.codecs cimport clist
from pgallop.codecs.codec cimport Codec
from pgallop.codecs.composites cimport CompositeCodec
from pgallop.codecs.text cimport StrCodec, TextCodec
from pgallop.rows cimport cpython
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class CustomCodec(Codec):
    cdef readonly object encoder
    cdef readonly object decoder
    cdef readonly Codec exchange
    cdef readonly Codec plain


cdef class TextExchange(TextCodec):
    cdef readonly object form


cdef class FormWriter(Codec):
    cdef readonly object form


cdef class BytesExchange(Codec):
    pass


cdef class NumbersExchange(Codec):
    cdef readonly tuple numbers

    @cython.locals(codec=Codec, i=Py_ssize_t)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(codec=Codec, values=list, i=Py_ssize_t, count=Py_ssize_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class IntervalExchange(NumbersExchange):
    pass


cdef class EnumCodec(StrCodec):
    cdef readonly object members
    cdef readonly dict by_label
    cdef readonly dict labels


cdef class CompositeTupleCodec(CompositeCodec):
    pass


cdef class CompositeClassCodec(CompositeCodec):
    cdef readonly object kind
    cdef bint in_order
    cdef bint has_attributes


cdef class RefusedCodec(Codec):
    cdef readonly str reason
