cimport cython

from pgallop.codecs.codec cimport Codec
from pgallop.rows cimport cpython, record
from pgallop.rows.record cimport Shape
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class CompositeCodec(Codec):
    cdef readonly Shape shape
    cdef readonly tuple members
    cdef Py_ssize_t width
    cdef bint yields_atoms

    @cython.locals(codecs=tuple, codec=Codec, values=tuple, i=Py_ssize_t, start=Py_ssize_t)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(i=Py_ssize_t)
    cdef tuple fields_of(self, object value)
    cdef tuple named(self, object value, object given)
    cdef object made(self, tuple values)

    @cython.locals(codecs=tuple, codec=Codec, values=tuple, i=Py_ssize_t, size=Py_ssize_t,
                   start=Py_ssize_t, end=Py_ssize_t, width=Py_ssize_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    @cython.locals(codec=Codec)
    cdef object misfit(self, Py_ssize_t i, Py_ssize_t size)
    cdef object changed(self, str reason)


cdef class DomainCodec(Codec):
    cdef readonly Codec base
