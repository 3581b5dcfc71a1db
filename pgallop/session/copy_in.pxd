cimport cython

from pgallop.codecs.codec cimport Codec
from pgallop.session.request cimport Request
from pgallop.session.statement cimport Statement
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef bytes TABLE


cdef class CopyIn(Request):
    cdef readonly str query
    cdef readonly Statement columns
    cdef readonly tuple codecs
    cdef readonly bint simple
    cdef readonly bint binary
    cdef str begin
    cdef str command
    cdef public list kept
    cdef Writer output
    cdef Py_ssize_t message
    cdef readonly Py_ssize_t moved
    cdef readonly Py_ssize_t count
    cdef readonly bint culprit
    cdef readonly bint is_checked
    cdef readonly bint has_begun
    cdef bint aborted
    cdef public object watcher

    cpdef tuple runs(self)
    cpdef bint fill(self, object records) except -1
    @cython.locals(values=tuple, writer=Writer, codecs=tuple, count=Py_ssize_t, i=Py_ssize_t,
                   codec=Codec, field=Py_ssize_t)
    cpdef bint add_record(self, object record) except -1
    cpdef bint add_bytes(self, bytes data) except -1
    cdef int begin_data(self) except -1
    cdef int end_data(self) except -1
    cpdef bytes piece(self)
    cpdef object finish(self)
    cpdef object end(self)
    @cython.locals(columns=Statement)
    cdef object write(self, Writer writer)
    @cython.locals(writer=Writer)
    cdef bytes abort(self)
    @cython.locals(before=int)
    cdef bint on_message(self, int tag, Reader reader) except -1
    cdef object on_copy_in(self, Reader reader)
    cdef object on_columns(self, list columns)
    cdef object on_error(self, dict fields, int state)
    cdef object tell_watcher(self)
    cdef object on_room(self)
    cdef object complete(self)
    cdef tuple as_tuple(self, object record)
