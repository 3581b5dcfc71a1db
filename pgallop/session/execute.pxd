cimport cython

from pgallop.codecs.codec cimport Codec
from pgallop.rows cimport cpython
from pgallop.rows.building cimport TypedRows
from pgallop.rows.decode cimport RowDecoder
from pgallop.session cimport copy_refusal
from pgallop.session.request cimport Request
from pgallop.session.statement cimport Statement
from pgallop.wire.framing cimport Framing
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef bytes TABLE
cdef bytes PARSE_TABLE
cdef bytes DESCRIBE_TABLE


cdef class Execute(Request):
    cdef readonly Statement statement
    cdef readonly tuple arguments
    cdef readonly bint limited
    cdef readonly Py_ssize_t before
    cdef readonly bint bound
    cdef readonly object into
    cdef TypedRows typed
    cdef public list rows
    cdef readonly bytes command
    cdef readonly RowDecoder raw
    cdef readonly Py_ssize_t first_raw
    cdef readonly object needed

    cpdef tuple runs(self)
    @cython.locals(statement=Statement, start=Py_ssize_t)
    cdef object write(self, Writer writer)
    @cython.locals(codec=Codec, i=Py_ssize_t, field=Py_ssize_t, parameters=tuple, arguments=tuple)
    cdef int write_arguments(self, Writer writer) except -1
    @cython.locals(successor=int)
    cdef bint on_message(self, int tag, Reader reader) except -1
    @cython.locals(decoder=RowDecoder, raw=RowDecoder, typed=TypedRows, pos=Py_ssize_t,
                   count=Py_ssize_t)
    cdef Py_ssize_t on_rows(self, Framing framing, Py_ssize_t most) except -1
    @cython.locals(decoder=RowDecoder, typed=TypedRows, pos=Py_ssize_t, end=Py_ssize_t)
    cdef object on_row(self, Reader reader)
    cdef RowDecoder keep_raw(self, RowDecoder decoder, object needed)
    @cython.locals(typed=TypedRows)
    cdef TypedRows typed_rows(self)
    cpdef object refuse(self, dict fields)
    cpdef list all_rows(self)
    @cython.locals(decoder=RowDecoder, raw=RowDecoder, columns=tuple, parts=list)
    cdef object unreadable(self)
