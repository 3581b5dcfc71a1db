cimport cython

from pgallop.rows cimport cpython


cdef class Shape:
    cdef readonly tuple names
    cdef readonly dict index


cdef class Record:
    cdef tuple fields
    cdef Shape shape
    cdef object item(self, object key)


@cython.locals(record=Record)
cdef Record new_record(Shape shape, tuple fields, bint atomic)
