/* A list of known length, filled in place: no None in each slot first, no growing. */
#ifndef PGALLOP_CLIST_H
#define PGALLOP_CLIST_H
#include <Python.h>

/* The slot must be empty. Consumes no reference: the list takes its own. */
static inline void pgallop_list_fill(PyObject *list, Py_ssize_t i, PyObject *value) {
    Py_INCREF(value);
    PyList_SET_ITEM(list, i, value);
}
#endif
