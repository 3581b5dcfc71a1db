cimport cython


cdef class Slot:
    cdef public int state
    cdef public double since
    cdef public double expires
    cdef public Py_ssize_t generation
    cdef public Py_ssize_t queries


cdef class Waiter:
    cdef public bint waits
    cdef public double deadline


cdef class Policy:
    cdef readonly Py_ssize_t min_size
    cdef readonly Py_ssize_t max_size
    cdef readonly double max_waiting
    cdef readonly Py_ssize_t size
    cdef readonly Py_ssize_t opening
    cdef readonly Py_ssize_t returning
    cdef readonly Py_ssize_t draining
    cdef public Py_ssize_t leaving
    cdef readonly Py_ssize_t waiting
    cdef readonly Py_ssize_t failures
    cdef readonly Py_ssize_t generation
    cdef double _max_idle
    cdef double _max_lifetime
    cdef double _max_queries
    cdef object _random
    cdef tuple _retries_at
    cdef dict _idle
    cdef readonly object _queue
    cdef readonly object _patient
    cdef readonly list _impatient
    cdef Py_ssize_t _number
    cdef double _sweep_period
    cdef double _swept

    @cython.locals(slot=Slot)
    cpdef Slot take(self)
    @cython.locals(last=Waiter)
    cpdef bint wait(self, Waiter waiter, double deadline=*) except -1
    cpdef bint leave(self, Waiter waiter) except -1
    cdef object _tidy_deadlines(self, Py_ssize_t most)
    @cython.locals(first=Waiter)
    cdef double _first_deadline(self) except? -1
    cpdef bint is_due(self, Slot slot, double now) except -1
    @cython.locals(waiter=Waiter, first=Waiter)
    cpdef Waiter free(self, Slot slot, double now)
    cpdef object give_back(self, Slot slot, bint soon)
    cdef object _is_back(self, Slot slot)
    cpdef object lost(self, Slot slot)
    cpdef bint wants(self, double now) except -1
    cdef bint _lacks(self) except -1
    cdef double _retry_at(self) except? -1
