from pgallop.session.request cimport Request
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef bytes TABLE


cdef class Texts(Request):
    cdef object values
    cdef tuple before
    cdef tuple behind
    cdef Py_ssize_t answered
    cdef list texts

    cpdef tuple runs(self)
    cdef object write(self, Writer writer)
    cdef bint on_message(self, int tag, Reader reader) except -1
    cdef object on_row(self, Reader reader)
