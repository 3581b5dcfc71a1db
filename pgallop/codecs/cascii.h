/* An ASCII string of CPython's that is filled in place before anybody sees it: no copy afterwards. */
#ifndef PGALLOP_CASCII_H
#define PGALLOP_CASCII_H
#include <Python.h>

static inline PyObject *pgallop_new_ascii(Py_ssize_t size) {
    return PyUnicode_New(size, 127);
}
static inline unsigned char *pgallop_ascii_base(PyObject *text) {
    return PyUnicode_1BYTE_DATA(text);
}
static inline PyObject *pgallop_ascii_filled(PyObject *text) {
    Py_INCREF(text);
    return text;
}
#endif
