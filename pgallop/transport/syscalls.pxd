# Interpreted twin: syscalls.py (this header is C only, nothing to compile)
cdef extern from "syscalls.h":
    object receive "pgallop_receive"(object sock, int fd)
    Py_ssize_t send "pgallop_send"(object sock, int fd, bytes data, Py_ssize_t start) except -1
    bint has_failed "pgallop_has_failed"(object sock, int fd) noexcept
