cimport cython

from pgallop.session.execute cimport Execute
from pgallop.session.request cimport Request
from pgallop.session.statement cimport Statement
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef bytes TABLE
cdef bytes PARSE_TABLE


cdef class Pipeline(Request):
    cdef readonly list executes
    cdef readonly Py_ssize_t answered
    cdef readonly Py_ssize_t culprit
    cdef readonly bint bound
    cdef readonly bint begun
    cdef readonly object refusal
    cdef readonly object failure

    cpdef tuple runs(self)
    @cython.locals(execute=Execute, i=Py_ssize_t)
    cdef object write(self, Writer writer)
    @cython.locals(execute=Execute, successor=int, statement=Statement)
    cdef bint on_message(self, int tag, Reader reader) except -1
    @cython.locals(execute=Execute)
    cdef object on_end_of_statement(self, int tag, Reader reader)
