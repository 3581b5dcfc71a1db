/* CPython's way to an ASCII string's own bytes, which are its UTF-8 as well: no copy in between. */
#ifndef PGALLOP_CTEXT_H
#define PGALLOP_CTEXT_H
#include <Python.h>

/* False for instances of subclasses too: they keep their characters elsewhere. */
static inline int pgallop_is_ascii(PyObject *text) {
    return PyUnicode_IS_COMPACT_ASCII(text);
}
static inline const unsigned char *pgallop_ascii_bytes(PyObject *text) {
    return PyUnicode_1BYTE_DATA(text);
}
#endif
