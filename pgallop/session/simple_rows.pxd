cimport cython

from pgallop.rows.decode cimport RowDecoder
from pgallop.session.simple cimport SimpleQuery
from pgallop.wire.reader cimport Reader


cdef class SimpleRows(SimpleQuery):
    cdef object registry
    cdef bint limited
    cdef readonly object into
    cdef list rows
    cdef RowDecoder decoder
    cdef tuple unknown
    cdef RowDecoder raw
    cdef Py_ssize_t first_raw
    cdef object needed

    cdef object on_columns(self, list columns)
    @cython.locals(decoder=RowDecoder, pos=Py_ssize_t, end=Py_ssize_t)
    cdef object on_row(self, Reader reader)
