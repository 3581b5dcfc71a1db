/* CPython calls that have no spelling in Python: filling a tuple in place, leaving the collector. */
#ifndef PGALLOP_CPYTHON_H
#define PGALLOP_CPYTHON_H
#include <Python.h>

/* Unknown to the collector while it has empty slots: gc.get_objects() would show it to others, who
   crash on them. */
static inline PyObject *pgallop_new_tuple(Py_ssize_t size) {
    PyObject *tuple = PyTuple_New(size);
    if (tuple != NULL)
        PyObject_GC_UnTrack(tuple);
    return tuple;
}
/* Consumes no reference: the tuple takes its own. */
static inline void pgallop_fill(PyObject *tuple, Py_ssize_t i, PyObject *value) {
    Py_INCREF(value);
    PyTuple_SET_ITEM(tuple, i, value);
}
static inline PyObject *pgallop_filled(PyObject *tuple) {
    Py_INCREF(tuple);
    return tuple;
}
/* The item is known to be there. */
static inline PyObject *pgallop_item(PyObject *tuple, Py_ssize_t i) {
    PyObject *item = PyTuple_GET_ITEM(tuple, i);
    Py_INCREF(item);
    return item;
}
static inline void pgallop_untrack(PyObject *object) {
    PyObject_GC_UnTrack(object);
}
/* A container may be tracked once only. */
static inline void pgallop_track(PyObject *object) {
    if (!PyObject_GC_IsTracked(object))
        PyObject_GC_Track(object);
}
#endif
