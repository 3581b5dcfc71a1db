cdef class Shape:
    cdef readonly tuple names
    cdef readonly dict index


cdef class Record:
    cdef tuple fields
    cdef Shape shape
    cdef object item(self, object key)
