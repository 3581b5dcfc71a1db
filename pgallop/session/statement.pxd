cimport cython

from pgallop.rows.building cimport TypedRows
from pgallop.rows.decode cimport RowDecoder
from pgallop.wire.writer cimport Writer


@cython.final
cdef class Statement:
    cdef readonly object key
    cdef readonly str query
    cdef readonly bytes name
    cdef object registry
    cdef readonly tuple parameter_oids
    cdef readonly tuple parameters
    cdef readonly tuple columns
    cdef readonly RowDecoder decoder
    cdef readonly dict typed
    cdef readonly bint alone
    cdef readonly bint notable
    cdef readonly bint varies
    cdef readonly bint once
    cdef readonly bint is_guess
    cdef readonly bint is_unresolved
    cdef readonly bint presumed
    cdef public object generation
    cdef tuple formats
    cdef readonly tuple unreadable
    cdef readonly object described
    cdef bytes row_description
    cdef public object prepare
    cdef public dict refusal
    cdef readonly bytes parse
    cdef bytes head
    cdef bytes tail
    cdef bytes run_all
    cdef bytes run_one
    cdef bytes whole
    cdef bytes whole_limited

    cpdef object correct(self, object description)
    cdef object on_portal(self, bytes row_description)
    cdef TypedRows rows_into(self, object into)
