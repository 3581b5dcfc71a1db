cdef class Family:
    cdef readonly int width
    cdef object address_type
    cdef object interface_type
    cdef object network_type
    cdef public bint direct
    cdef list masks

    cdef object address(self, object number)
    cdef object interface(self, object number, int bits)
    cdef object network(self, object number, int bits)
    cdef object fill(self, object made, object number)
