cimport cython

from pgallop.rows.decode cimport RowDecoder


@cython.final
cdef class Statement:
    cdef readonly str query
    cdef readonly bytes name
    cdef readonly tuple parameters
    cdef readonly list columns
    cdef readonly RowDecoder decoder
    cdef readonly bint alone
    cdef bytes head
    cdef bytes tail
    cdef bytes whole
    cdef bytes whole_limited
