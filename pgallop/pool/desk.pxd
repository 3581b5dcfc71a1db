cimport cython

from pgallop.pool.counts cimport Counts
from pgallop.pool.keeper cimport Keeper
from pgallop.pool.place cimport Claim, OneShot, Place
from pgallop.pool.policy cimport Policy


cdef class Desk:
    cdef Keeper _keeper
    cdef Policy _policy
    cdef Counts _counts
    cdef object _options

    @cython.locals(shot=OneShot, place=Place, now=double)
    cpdef OneShot one_shot(self, object query, tuple args, bint limited, object timeout,
                           object into)
    cdef double _deadline(self, double now, object timeout) except? -1
    @cython.locals(place=Place)
    cdef Place _take(self)
    @cython.locals(policy=Policy)
    cdef object _queue(self, Claim claim, double now, object timeout)
    cdef object _withdraw(self, Claim claim)
    cdef bint _is_stale(self, Place place, double now) except -1
