from libc.stdint cimport int64_t

cimport cython

from pgallop.session.request cimport Request
from pgallop.wire.framing cimport Framing
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


@cython.final
cdef class Session:
    cdef Framing framing
    cdef readonly Writer writer
    cdef readonly object requests
    cdef readonly object waiting
    cdef Request head
    cdef Request blocker
    cdef bint held
    cdef bint dropping
    cdef public bint exposed
    cdef public bint orphaned
    cdef public bint paused
    cdef public bint serial
    cdef readonly int64_t sent
    cdef readonly int64_t received
    cdef readonly int64_t answered
    cdef readonly int64_t refused
    cdef readonly Py_ssize_t wanted
    cdef readonly int status
    cdef readonly object failure
    cdef readonly dict parameters
    cdef readonly object broken
    cdef readonly object last_error
    cdef public object on_notice
    cdef public object on_notification
    cdef public object on_head
    cdef public object on_idle
    cdef public object on_tags
    cdef public object watcher

    cpdef object trust(self, Py_ssize_t max_message_size)
    cpdef object submit(self, Request request, bint at_once=*)
    @cython.locals(writer=Writer, mark=Py_ssize_t)
    cdef int enqueue(self, Request request) except -1
    @cython.locals(blocker=Request)
    cpdef bytes take(self)
    cpdef bint has_room(self, Request request)
    cpdef object write_on(self, Request request, bytes data)
    cpdef object break_off(self, Request request)
    cpdef bint discard(self, Request request) except -1
    @cython.locals(request=Request, i=Py_ssize_t)
    cdef int drop_unsent(self) except -1
    cpdef object feed(self, bytes data)
    cdef int receive(self, bytes data) except -1
    @cython.locals(framing=Framing, head=Request, tag=int, reader=Reader)
    cdef bint pump(self, Py_ssize_t limit) except -1
    cpdef bint is_full(self)
    cdef int on_asynchronous(self, int tag, Reader reader) except -1
    cdef int on_unsolicited(self, int tag, Reader reader) except -1
    cdef int send_reply_of(self, Request request) except -1
    @cython.locals(head=Request)
    cdef int finish_head(self) except -1
    cdef int judge(self, Request head) except -1
    @cython.locals(request=Request)
    cdef int write_waiting(self) except -1
    @cython.locals(head=Request, request=Request)
    cpdef object lost(self, object error)
