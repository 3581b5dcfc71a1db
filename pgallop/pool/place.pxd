cimport cython

from pgallop.dispatch cimport Dispatch
from pgallop.pool.policy cimport Slot, Waiter
from pgallop.session.execute cimport Execute
from pgallop.session.request cimport Request
from pgallop.session.session cimport Session
from pgallop.transport.stream cimport Stream

cdef class Place(Slot)


cdef class Claim(Waiter):
    cdef public object future
    cdef public double since

    cpdef bint serve(self, Place place) except -1


cdef class OneShot(Claim):
    cdef readonly object query
    cdef readonly tuple args
    cdef readonly bint limited
    cdef readonly object timeout
    cdef readonly object into
    cdef public object ends
    cdef public Place place
    cdef public Execute request
    cdef public bint failed


cdef class Place(Slot):
    cdef readonly object connection
    cdef readonly object inside
    cdef readonly Dispatch dispatch
    cdef readonly Session session
    cdef readonly Stream stream
    cdef readonly object reset_query
    cdef object on_free
    cdef public object held
    cdef public OneShot shot
    cdef public bint dirty
    cdef public Py_ssize_t resets

    @cython.locals(request=Execute)
    cpdef bint begin(self, OneShot shot) except -1
    @cython.locals(texts=tuple, now=double, proven=dict, until=object)
    cpdef object _watch(self, Request request)
    cpdef bint is_busy(self) except -1
    cpdef bint is_clean(self) except -1
