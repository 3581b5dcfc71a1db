cimport cython

from pgallop.session.execute cimport Execute
from pgallop.session.request cimport Request
from pgallop.session.statement cimport Statement
from pgallop.wire.framing cimport Framing
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef bytes TABLE
cdef bytes EXECUTE_TABLE


cdef class FetchPortal(Execute):
    cdef readonly bytes portal
    cdef readonly int limit
    cdef readonly bint opens
    cdef readonly bint suspended

    @cython.locals(statement=Statement, start=Py_ssize_t)
    cdef object write_bind(self, Writer writer)
    cdef Py_ssize_t on_rows(self, Framing framing, Py_ssize_t most) except -1


cdef class ClosePortal(Request):
    cdef bytes portal

    cpdef tuple runs(self)
