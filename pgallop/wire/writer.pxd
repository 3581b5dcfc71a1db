from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cimport cython

from pgallop.wire cimport bigendian
from pgallop.wire.reader cimport Reader


@cython.final
cdef class Writer:
    cdef bytearray buffer
    cdef unsigned char *base
    cdef readonly Py_ssize_t pos
    cdef readonly Py_ssize_t message
    cdef Py_ssize_t end
    cdef readonly Py_ssize_t capacity
    cdef Py_ssize_t limit

    cpdef bytes take(self)
    cdef int move(self, Py_ssize_t capacity) except -1
    cdef int enter(self, Py_ssize_t message) except -1
    cdef int check(self, Py_ssize_t size, str what) except -1
    cdef int grow(self, Py_ssize_t size) except -1
    cdef Py_ssize_t reserve(self, Py_ssize_t size) except -1
    cdef int write_byte(self, int value) except -1
    cdef int write_int16(self, int value) except -1
    cdef int write_uint16(self, int value) except -1
    cdef int write_int32(self, int32_t value) except -1
    cdef int write_uint32(self, uint32_t value) except -1
    cdef int write_int64(self, int64_t value) except -1
    cdef int write_uint64(self, uint64_t value) except -1
    cdef int write_float32(self, float value) except -1
    cdef int write_float64(self, double value) except -1
    cdef int write_bytes(self, bytes data) except -1
    @cython.locals(size=Py_ssize_t, start=Py_ssize_t, pos=Py_ssize_t)
    cdef int write_rest(self, Reader reader) except -1
    cdef int write_cstring(self, bytes data, str what) except -1
    cdef Py_ssize_t begin_message(self, int tag) except -1
    cdef int finish_message(self, Py_ssize_t start) except -1
    cdef Py_ssize_t begin_field(self) except -1
    cdef int finish_field(self, Py_ssize_t start) except -1
    cdef int patch_int32(self, Py_ssize_t pos, Py_ssize_t value) except -1
    cdef int truncate(self, Py_ssize_t pos) except -1
    cdef int give_up(self, Py_ssize_t pos) except -1
