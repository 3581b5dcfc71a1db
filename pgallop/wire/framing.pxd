cimport cython

from pgallop.wire cimport bigendian
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer

cdef Py_ssize_t HEADER
cdef Py_ssize_t MAX_DESCRIPTION_SIZE
cdef Py_ssize_t MAX_SHORT_MESSAGE_SIZE


@cython.final
cdef class Framing:
    cdef readonly Reader reader
    cdef readonly int tag
    cdef bytes data
    cdef const unsigned char *base
    cdef Py_ssize_t pos
    cdef Py_ssize_t size
    cdef Py_ssize_t needed
    cdef Py_ssize_t max_message_size
    cdef bytearray partial
    cdef bytes following
    cdef Py_ssize_t following_pos

    cdef object walk(self, bytes data, Py_ssize_t pos)
    cdef object feed(self, bytes data)
    @cython.locals(taken=Py_ssize_t, end=Py_ssize_t, header=bytes)
    cdef object complete(self, bytes data)
    cdef bint next(self) except -1
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, length=Py_ssize_t)
    cdef bint next_of(self, int tag) noexcept
    @cython.locals(
        base="const unsigned char *",
        target="unsigned char *",
        max_message_size=Py_ssize_t,
        pos=Py_ssize_t,
        size=Py_ssize_t,
        into=Py_ssize_t,
        count=Py_ssize_t,
        length=Py_ssize_t,
        end=Py_ssize_t,
    )
    cdef Py_ssize_t copy_bodies(
        self, int tag, Py_ssize_t most, Writer writer, Py_ssize_t room) except -1
    cdef bint stop(self) except -1
    cdef object drop(self)
    cdef Py_ssize_t message_length(self, const unsigned char *base, Py_ssize_t pos) except -1
    cdef int check_header(self, int tag, Py_ssize_t length) except -1
