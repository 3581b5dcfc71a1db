from pgallop.session.request cimport Request
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class Startup(Request):
    cdef dict parameters
    cdef object password
    cdef bint private
    cdef bint answered
    cdef object scram
    cdef object gss
    cdef object service
    cdef bint stepping
    cdef int max_iterations
    cdef object nonce
    cdef readonly int pid
    cdef readonly bytes key

    cdef object result(self)
    cdef int authenticate(self, Reader reader) except -1
    cdef int accept(self, bytes data) except -1
    cdef int begin(self, int kind, bytes data) except -1
    cdef int begin_sasl(self, bytes mechanisms) except -1
    cdef int go_on_with_sasl(self, int kind, bytes data) except -1
    cdef int begin_gss(self, int kind, bytes data) except -1
    cdef int go_on_with_gss(self, bytes token) except -1
