from pgallop.session.request cimport Request
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class Convert(Request):
    cdef object values
    cdef object oid
    cdef int format
    cdef list converted

    cpdef tuple runs(self)
