from pgallop.session.request cimport Request
from pgallop.session.statement cimport Statement
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class Prepare(Request):
    cdef readonly object key
    cdef readonly str query
    cdef readonly bytes name
    cdef readonly tuple closes
    cdef object registry
    cdef readonly Statement presumed
    cdef readonly Statement statement
    cdef readonly object description
    cdef dict refusal
    cdef tuple parameter_oids
    cdef list columns
    cdef readonly Py_ssize_t unanswered
    cdef readonly bint parsed
    cdef public Py_ssize_t riders
    cdef public object generation

    cpdef tuple runs(self)
    cdef int settle(self) except -1
