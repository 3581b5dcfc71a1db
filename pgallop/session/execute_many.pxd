cimport cython

from pgallop.session.execute cimport Execute
from pgallop.session.request cimport Request
from pgallop.session.statement cimport Statement
from pgallop.wire.framing cimport Framing
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef bytes TABLE


cdef class ExecuteMany(Execute):
    cdef readonly bint keeps
    cdef readonly Py_ssize_t encoded
    cdef readonly Py_ssize_t written
    cdef readonly Py_ssize_t answered
    cdef readonly object affected
    cdef readonly Py_ssize_t culprit
    cdef bint aborted
    cdef readonly list kept
    cdef Writer output
    cdef public object room

    cpdef object fill(self, object rows)
    @cython.locals(statement=Statement, writer=Writer, start=Py_ssize_t)
    cdef object encode(self, object arguments)
    cpdef bytes piece(self)
    @cython.locals(writer=Writer)
    cdef bytes abort(self)
    @cython.locals(successor=int)
    cdef bint on_message(self, int tag, Reader reader) except -1
    cdef Py_ssize_t on_rows(self, Framing framing, Py_ssize_t most) except -1
    cdef object on_error(self, Reader reader)


@cython.locals(start=Py_ssize_t, end=Py_ssize_t, i=Py_ssize_t, count="long long")
cdef long long rows_told(bytes command) except -1
