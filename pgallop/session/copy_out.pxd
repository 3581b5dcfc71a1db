from libc.stdint cimport int64_t

cimport cython

from pgallop.session.request cimport Request
from pgallop.session.simple cimport SimpleQuery
from pgallop.wire.framing cimport Framing
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef bytes TABLE


cdef class CopyOut(SimpleQuery):
    cdef readonly str original
    cdef Writer data
    cdef Py_ssize_t room
    cdef public object arrival
    cdef readonly int64_t taken
    cdef readonly bint responded
    cdef readonly bint has_failed

    cpdef tuple runs(self)
    cdef bint on_message(self, int tag, Reader reader) except -1
    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t on_copy_data(self, Framing framing, Py_ssize_t most) except -1
    cdef int keep(self, Reader reader) except -1
    cdef int arrive(self) except -1
