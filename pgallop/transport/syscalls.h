/* recv and send on a non-blocking socket, without the socket object's detours. */
#ifndef PGALLOP_SYSCALLS_H
#define PGALLOP_SYSCALLS_H
#include <Python.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifndef MSG_NOSIGNAL /* macOS: the socket option SO_NOSIGPIPE stands in, set by CPython */
#define MSG_NOSIGNAL 0
#endif

/* On the stack, so that a short answer costs one small allocation and no lock. */
#define PGALLOP_RECEIVE_SIZE 65536

/* bytes received, b"" at the end of the stream, None when there is nothing to read yet. */
static PyObject *pgallop_receive(PyObject *sock, int fd) {
    char buffer[PGALLOP_RECEIVE_SIZE];
    (void)sock;
    for (;;) {
        ssize_t size = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (size >= 0)
            return PyBytes_FromStringAndSize(buffer, size);
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            Py_RETURN_NONE;
        if (errno != EINTR)
            return PyErr_SetFromErrno(PyExc_OSError);
        if (PyErr_CheckSignals() < 0)
            return NULL;
    }
}

/* How many bytes of data[start:] the kernel took, 0 when it takes none now; -1 with an exception. */
static Py_ssize_t pgallop_send(PyObject *sock, int fd, PyObject *data, Py_ssize_t start) {
    (void)sock;
    for (;;) {
        ssize_t size = send(fd, PyBytes_AS_STRING(data) + start,
                            (size_t)(PyBytes_GET_SIZE(data) - start),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size >= 0)
            return size;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return 0;
        if (errno != EINTR) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
}
#endif
