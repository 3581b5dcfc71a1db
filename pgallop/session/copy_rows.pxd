cimport cython

from pgallop.rows.building cimport TypedRows
from pgallop.rows.decode cimport RowDecoder
from pgallop.session.copy_out cimport CopyOut
from pgallop.session.request cimport Request
from pgallop.wire cimport bigendian
from pgallop.wire.framing cimport Framing
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef bytes TABLE
cdef Py_ssize_t MOST_ROWS
cdef Py_ssize_t MOST_BYTES


cdef class CopyRows(CopyOut):
    cdef str source
    cdef object registry
    cdef object into
    cdef RowDecoder decoder
    cdef TypedRows typed
    cdef list rows
    cdef Py_ssize_t size
    cdef bint has_header
    cdef bint ended
    cdef readonly bint is_unreadable
    cdef readonly object needed
    cdef public object on_left
    cdef readonly Py_ssize_t before

    cdef object write(self, Writer writer)
    @cython.locals(is_copy=bint)
    cdef bint on_message(self, int tag, Reader reader) except -1
    cdef bint is_wanted(self)
    cdef object describe(self, list columns)
    @cython.locals(width=Py_ssize_t)
    cdef object on_response(self, Reader reader)
    cdef object on_data(self, Reader reader)
    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t on_copy_data(self, Framing framing, Py_ssize_t most) except -1
    @cython.locals(size=Py_ssize_t)
    cdef object read_one(self, Reader reader)


cdef object read_header(Reader reader)
