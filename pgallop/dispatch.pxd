from pgallop.session.execute cimport Execute
from pgallop.session.request cimport Request
from pgallop.session.session cimport Session
from pgallop.session.statement cimport Statement
from pgallop.statement_cache cimport StatementCache
from pgallop.transport.stream cimport Stream

cimport cython


cdef class Dispatch:
    cdef readonly object ownership
    cdef readonly object canceller
    cdef readonly StatementCache statements
    cdef readonly object scope
    cdef readonly object registry
    cdef readonly object types
    cdef readonly dict preparing
    cdef readonly object record_class
    cdef readonly bint describe_first
    cdef readonly bint unnamed
    cdef readonly bint simple
    cdef Session _session
    cdef Stream _stream
    cdef object _loop
    cdef object _command_timeout
    cdef Py_ssize_t _names
    cdef str _statement_names
    cdef bint _closing
    cdef Py_ssize_t _settled
    cdef readonly object query_log
    cdef bint _strict
    cdef bint _detours
    cdef str _operation
    cdef readonly Py_ssize_t operations
    cdef public bint released

    cpdef object check_loop(self)
    @cython.locals(statement=Statement, request=Execute)
    cpdef Execute begin(self, object key, tuple args, bint limited, object timeout,
                        object into=*, object waiter=*, object seconds=*)
    @cython.locals(request=Execute)
    cpdef Execute execute(self, Statement statement, tuple args, bint limited, object into,
                          object waiter=*)
    cpdef object target(self, object into)
    cpdef object submit(self, Request request, bint begins=*, bint at_once=*)
    cpdef object arm(self, Request request, object seconds, object timeout)
