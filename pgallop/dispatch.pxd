from pgallop.session.execute cimport Execute
from pgallop.session.request cimport Request
from pgallop.session.session cimport Session
from pgallop.session.statement cimport Statement
from pgallop.transport.stream cimport Stream

cimport cython


cdef class Dispatch:
    cdef readonly object ownership
    cdef readonly object canceller
    cdef readonly object statements
    cdef Session _session
    cdef Stream _stream
    cdef object _loop
    cdef object _registry
    cdef dict _preparing
    cdef object _command_timeout
    cdef Py_ssize_t _names
    cdef bint _closing
    cdef bint _strict
    cdef str _operation

    cpdef object check_loop(self)
    cpdef object submit(self, Request request, bint begins=*, bint at_once=*)
    cpdef object arm(self, Request request, object seconds, object timeout)
