cimport cython

from pgallop.codecs.codec cimport Codec
from pgallop.rows cimport cpython, record, recycling
from pgallop.rows.record cimport Record, Shape
from pgallop.wire cimport bigendian
from pgallop.wire.framing cimport Framing
from pgallop.wire.reader cimport Reader


@cython.final
cdef class RowDecoder:
    cdef readonly Shape shape
    cdef readonly tuple codecs
    cdef Py_ssize_t width
    cdef bint atomic
    cdef Py_ssize_t column
    cdef Py_ssize_t nulls

    cdef Record decode(self, Reader reader)

    @cython.locals(count=Py_ssize_t, reader=Reader)
    cdef Py_ssize_t decode_rows(self, Framing framing, list rows, Py_ssize_t most) except -1

    @cython.locals(codec=Codec, codecs=tuple, i=Py_ssize_t, size=Py_ssize_t, end=Py_ssize_t,
                   pos=Py_ssize_t, width=Py_ssize_t, row=Record, values=tuple)
    cdef Record read(self, Reader reader)
