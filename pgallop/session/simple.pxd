from pgallop.session cimport copy_refusal
from pgallop.session.request cimport Request
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class SimpleQuery(Request):
    cdef readonly str query
    cdef str command
    cdef str prefix
    cdef bint begins
    cdef bint notable

    cpdef tuple runs(self)
