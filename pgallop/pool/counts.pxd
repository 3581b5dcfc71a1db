from libc.stdint cimport int64_t

cimport cython


cdef class Counts:
    cdef public int64_t acquired
    cdef public int64_t cancelled
    cdef public int64_t timed_out
    cdef public int64_t refused
    cdef public int64_t opened
    cdef public int64_t failed
    cdef public int64_t resets
    cdef public int64_t queries
    cdef public int64_t errors
    cdef public int64_t bytes_sent
    cdef public int64_t bytes_received
    cdef readonly double wait_time
    cdef readonly double longest_wait
    cdef readonly list waits
    cdef readonly object closed

    @cython.locals(bucket=Py_ssize_t, rest=int64_t)
    cpdef object waited(self, double seconds)
