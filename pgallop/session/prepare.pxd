from pgallop.session.request cimport Request
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class Prepare(Request):
    cdef readonly str query
    cdef readonly bytes name
    cdef readonly tuple closes
    cdef object registry
    cdef tuple parameter_oids
    cdef list columns
    cdef Py_ssize_t unanswered
