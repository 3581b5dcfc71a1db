cimport cython

from pgallop.rows cimport instances
from pgallop.rows.record cimport Record


cdef class Fit:
    cdef readonly str expected
    cdef readonly bint nullable
    cdef readonly bint converts

    cdef object take(self, object value)
    cdef object convert(self, object value)


cdef class Leaf(Fit):
    cdef readonly object kind
    cdef readonly tuple kinds


cdef class OneOf(Fit):
    cdef readonly tuple values


cdef class Member(Fit):
    cdef readonly object kind


cdef class Items(Fit):
    cdef readonly Fit item

    @cython.locals(i=Py_ssize_t, item=Fit, made=list)
    cdef object convert(self, object value)


cdef class Choice(Fit):
    cdef readonly tuple fits

    @cython.locals(fit=Fit)
    cdef object convert(self, object value)


cdef class Plain(Fit):
    cdef list items(self, object values)
