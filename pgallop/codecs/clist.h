/* A list of known length, filled in place: no None in each slot first, no growing. While it has empty
   slots the collector does not know it: gc.get_objects() would show it to others, who crash on them. */
#ifndef PGALLOP_CLIST_H
#define PGALLOP_CLIST_H
#include <Python.h>

static inline PyObject *pgallop_new_list(Py_ssize_t size) {
    PyObject *list = PyList_New(size);
    if (list != NULL)
        PyObject_GC_UnTrack(list);
    return list;
}
static inline PyObject *pgallop_list_filled(PyObject *list) {
    PyObject_GC_Track(list);
    Py_INCREF(list);
    return list;
}

/* The slot must be empty. Consumes no reference: the list takes its own. */
static inline void pgallop_list_fill(PyObject *list, Py_ssize_t i, PyObject *value) {
    Py_INCREF(value);
    PyList_SET_ITEM(list, i, value);
}
#endif
