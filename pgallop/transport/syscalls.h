/* A non-blocking socket's system calls, without the socket object's detours. */
#ifndef PGALLOP_SYSCALLS_H
#define PGALLOP_SYSCALLS_H
#include <Python.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifndef MSG_NOSIGNAL /* macOS: the socket option SO_NOSIGPIPE stands in, set by CPython */
#define MSG_NOSIGNAL 0
#endif

#define PGALLOP_RECEIVE_SIZE 131072

/* The bytes object of an earlier reception, used again when nobody else holds it any more: then nobody
   can see that it changes, which is also what _PyBytes_Resize builds on. A fresh one for each reception
   would cost its page faults again and again. */
static PyObject *pgallop_reception = NULL;

/* bytes received, b"" at the end of the stream, None when there is nothing to read yet. */
static PyObject *pgallop_receive(PyObject *sock, int fd) {
    (void)sock;
    PyObject *data = pgallop_reception;
    pgallop_reception = NULL;
    if (data != NULL && Py_REFCNT(data) != 1)
        Py_CLEAR(data);
    if (data == NULL) {
        data = PyBytes_FromStringAndSize(NULL, PGALLOP_RECEIVE_SIZE);
        if (data == NULL)
            return NULL;
    }
    for (;;) {
        ssize_t size = recv(fd, PyBytes_AS_STRING(data), PGALLOP_RECEIVE_SIZE, MSG_DONTWAIT);
        if (size >= 0) {
            Py_SET_SIZE((PyVarObject *)data, size);
            PyBytes_AS_STRING(data)[size] = '\0';
            Py_INCREF(data);
            Py_XSETREF(pgallop_reception, data);
            return data;
        }
        int error = errno;
        if (error == EINTR && PyErr_CheckSignals() == 0)
            continue;
        Py_XSETREF(pgallop_reception, data);
        if (error == EAGAIN || error == EWOULDBLOCK)
            Py_RETURN_NONE;
        if (error == EINTR)
            return NULL;
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
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

/* Whether the connection was reset, or has failed otherwise, which poll(2) tells without being asked;
   what came before may be unread. Where it fails itself, reading tells. */
static int pgallop_has_failed(PyObject *sock, int fd) {
    (void)sock;
    struct pollfd asked = {.fd = fd, .events = 0, .revents = 0};
    return poll(&asked, 1, 0) != 0;
}
#endif
