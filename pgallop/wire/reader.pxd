from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t

cimport cython

from pgallop.wire cimport bigendian


@cython.final
cdef class Reader:
    cdef readonly bytes owner
    cdef const unsigned char *base
    cdef readonly Py_ssize_t pos
    cdef readonly Py_ssize_t end
    cdef int depth

    cdef void attach(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    cdef Py_ssize_t take(self, Py_ssize_t size) except -1
    cdef int lack(self, Py_ssize_t size) except -1
    cdef int read_byte(self) except -1
    cdef int read_int16(self) except? -1
    cdef int read_uint16(self) except -1
    cdef int32_t read_int32(self) except? -1
    cdef uint32_t read_uint32(self) except? 0
    cdef int64_t read_int64(self) except? -1
    cdef uint64_t read_uint64(self) except? 0
    cdef float read_float32(self) except? -1
    cdef double read_float64(self) except? -1
    cdef bytes read_bytes(self, Py_ssize_t size)
    cdef str read_utf8(self, Py_ssize_t size)
    cdef bytes read_cstring(self)
    cdef Py_ssize_t read_size(self) except? -2
    cdef Py_ssize_t clamp(self, Py_ssize_t size) except -1
    cdef int unclamp(self, Py_ssize_t end) except -1
    cdef int expect_end(self) except -1
