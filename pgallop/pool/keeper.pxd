cimport cython

from pgallop.pool.counts cimport Counts
from pgallop.pool.place cimport Claim, Place
from pgallop.pool.policy cimport Policy
from pgallop.session.session cimport Session


cdef class Keeper:
    cdef object __weakref__
    cdef readonly object options
    cdef public object state
    cdef readonly Counts counts
    cdef readonly Policy policy
    cdef readonly object loop
    cdef public object last_failure
    cdef readonly dict places
    cdef object _connect
    cdef bint _learning
    cdef set _opening
    cdef set _tasks
    cdef set _leaving
    cdef list _goings
    cdef object _timer
    cdef double _armed

    cpdef object usable(self)
    @cython.locals(session=Session)
    cpdef object give_back(self, Place place)
    @cython.locals(now=double, policy=Policy, counts=Counts, claim=Claim)
    cdef object _free(self, Place place)
    cdef bint _is_curious(self, Place place, double now) except -1
    cpdef double now(self) except? -1
    cpdef object arm_until(self, double deadline)
