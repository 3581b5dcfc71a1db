from pgallop.rows.decode cimport RowDecoder
from pgallop.session.simple cimport SimpleQuery
from pgallop.wire.reader cimport Reader


cdef class SimpleRows(SimpleQuery):
    cdef object registry
    cdef bint limited
    cdef list rows
    cdef RowDecoder decoder

    cdef object on_row(self, Reader reader)
