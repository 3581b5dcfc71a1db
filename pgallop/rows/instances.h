/* Instances of the caller's classes, made without their __init__ and __new__. */
#ifndef PGALLOP_INSTANCES_H
#define PGALLOP_INSTANCES_H
#include <Python.h>

/* `kind` is a class of tuples; the values are copied. */
static PyObject *pgallop_tuple_of(PyObject *kind, PyObject *values) {
    Py_ssize_t i, size = PyTuple_GET_SIZE(values);
    PyObject *made = ((PyTypeObject *)kind)->tp_alloc((PyTypeObject *)kind, size);
    if (made == NULL)
        return NULL;
    for (i = 0; i < size; i++) {
        PyObject *value = PyTuple_GET_ITEM(values, i);
        Py_INCREF(value);
        PyTuple_SET_ITEM(made, i, value);
    }
    return made;
}

/* What object.__new__ does: it also prepares the place of the attributes, and refuses abstract classes. */
static PyObject *pgallop_nothing;
static inline PyObject *pgallop_new(PyObject *kind) {
    if (pgallop_nothing == NULL && (pgallop_nothing = PyTuple_New(0)) == NULL)
        return NULL;
    return PyBaseObject_Type.tp_new((PyTypeObject *)kind, pgallop_nothing, NULL);
}

/* What __new__ of `base`, a C type, makes of `kind`, a subclass that has none of its own. */
static inline PyObject *pgallop_new_of(PyObject *base, PyObject *kind) {
    if (pgallop_nothing == NULL && (pgallop_nothing = PyTuple_New(0)) == NULL)
        return NULL;
    return ((PyTypeObject *)base)->tp_new((PyTypeObject *)kind, pgallop_nothing, NULL);
}

/* As object.__setattr__ does, for a class that has another one. */
static inline int pgallop_set_attribute(PyObject *made, PyObject *name, PyObject *value) {
    return PyObject_GenericSetAttr(made, name, value);
}

/* There is a name for each of the values. */
static int pgallop_set_attributes(PyObject *made, PyObject *names, PyObject *values) {
    Py_ssize_t i, size = PyTuple_GET_SIZE(values);
    for (i = 0; i < size; i++)
        if (PyObject_GenericSetAttr(made, PyTuple_GET_ITEM(names, i), PyTuple_GET_ITEM(values, i)))
            return -1;
    return 0;
}

/* Call `function` for the object and its values. */
static inline int pgallop_fill_instance(PyObject *function, PyObject *made, PyObject *values) {
    PyObject *arguments[2] = {made, values};
    PyObject *nothing = PyObject_Vectorcall(function, arguments, 2, NULL);
    Py_XDECREF(nothing);
    return nothing == NULL ? -1 : 0;
}

/* There is a check for each of the values. */
static inline Py_ssize_t pgallop_first_in_question(PyObject *values, PyObject *checks) {
    const char *kinds = PyBytes_AS_STRING(checks);
    Py_ssize_t i, size = PyBytes_GET_SIZE(checks);
    for (i = 0; i < size; i++)
        if (kinds[i] == 2 || (kinds[i] == 1 && PyTuple_GET_ITEM(values, i) == Py_None))
            return i;
    return -1;
}

/* The values are passed where they stand, without a tuple or a dict of their own. */
static PyObject *pgallop_call(PyObject *function, PyObject *values, Py_ssize_t positional,
                              PyObject *names) {
    return PyObject_Vectorcall(function, &PyTuple_GET_ITEM(values, 0), (size_t)positional,
                               PyTuple_GET_SIZE(names) ? names : NULL);
}

/* Out of the collector's sight while a result grows, and back in it at its end. */
static inline int pgallop_is_collected(PyObject *kind) {
    return PyType_IS_GC((PyTypeObject *)kind);
}
static inline void pgallop_hide(PyObject *made) {
    PyObject_GC_UnTrack(made);
}
static inline void pgallop_show(PyObject *rows, Py_ssize_t start, Py_ssize_t end) {
    Py_ssize_t i, size = PyList_GET_SIZE(rows);
    for (i = start; i < end && i < size; i++) {
        PyObject *made = PyList_GET_ITEM(rows, i);
        if (!PyObject_GC_IsTracked(made))
            PyObject_GC_Track(made);
    }
}

/* Calls in C take the stack that nobody else counts. */
static inline int pgallop_enter(void) {
    return Py_EnterRecursiveCall(" while an object was made of a row") ? -1 : 0;
}
static inline void pgallop_leave(void) {
    Py_LeaveRecursiveCall();
}
#endif
