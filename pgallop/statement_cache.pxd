from pgallop.session.statement cimport Statement


cdef class StatementCache:
    cdef public Py_ssize_t size
    cdef public Py_ssize_t max_text
    cdef public object lifetime
    cdef object _statements
    cdef object _ends
    cdef dict _pins
    cdef public list evicted
    cdef public object timer
    cdef public bint has_others
    cdef object __weakref__

    cpdef Statement get(self, object key)
