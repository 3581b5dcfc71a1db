cimport cython

from pgallop.session.session cimport Session
from pgallop.transport cimport syscalls


cdef class Stream:
    cdef readonly Session session
    cdef readonly object loop
    cdef readonly object tls
    cdef public object on_lost
    cdef readonly bint busy
    cdef readonly bint closed
    cdef readonly bint foreign
    cdef bint scheduled
    cdef public double turn_ends
    cdef object __weakref__

    cpdef object submitted(self)
    cpdef object submitted_soon(self)
    cpdef object flush(self)
    cpdef object received(self, bytes data)
    @cython.locals(now=double)
    cdef object walk(self, bytes data)
    cpdef bint blocked(self)
    cpdef object transmit(self, bytes data)


cdef class SocketStream(Stream):
    cdef object sock
    cdef int fd
    cdef bytes backlog
    cdef Py_ssize_t backlog_start
    cdef bint deaf
    cdef bint has_sent
    cdef bint tells_again

    cdef object send_backlog(self)
