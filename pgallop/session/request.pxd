from libc.stdint cimport int64_t

from pgallop.wire.framing cimport Framing
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class Request:
    cdef public object waiter
    cdef public object timer
    cdef public object deadline
    cdef public object error
    cdef public object on_end
    cdef public object after
    cdef public bint discarded
    cdef public bint exposed
    cdef readonly bint finished
    cdef readonly bint full
    cdef readonly bint alone
    cdef readonly bint helper
    cdef readonly bint iterated
    cdef readonly bint open
    cdef readonly bytes prologue
    cdef int begin_replies
    cdef bytes reply
    cdef readonly int state
    cdef readonly int64_t position
    cdef readonly int status_before
    cdef readonly int status
    cdef bytes table
    cdef readonly list tags

    cpdef tuple runs(self)
    cdef object set_up(self, bytes table, object waiter)
    cdef bint on_prologue(self, int tag, Reader reader) except -1
    cdef object write(self, Writer writer)
    cdef object on_room(self)
    cdef bytes abort(self)
    cdef bint on_message(self, int tag, Reader reader) except -1
    cdef Py_ssize_t on_rows(self, Framing framing, Py_ssize_t most) except -1
    cdef Py_ssize_t on_copy_data(self, Framing framing, Py_ssize_t most) except -1
    cdef int step(self, int tag) except -1
    cdef object note(self, str tag)
    cdef object result(self)
    cdef object complete(self)
    cdef bint tell(self) except -1
