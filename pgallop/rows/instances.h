/* Instances of the caller's classes made without their Python code: 7 fields set one by one take a
   third of what a generated __init__ takes. */
#ifndef PGALLOP_INSTANCES_H
#define PGALLOP_INSTANCES_H
#include <Python.h>
#include <structmember.h>

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

/* The descriptor of a writable slot that instances of `kind` certainly have, otherwise the name. */
static PyObject *pgallop_place_of(PyObject *kind, PyObject *name) {
    PyObject *found = PyObject_GetAttr(kind, name);
    if (found == NULL)
        PyErr_Clear();
    else if (Py_IS_TYPE(found, &PyMemberDescr_Type)
             && PyType_IsSubtype((PyTypeObject *)kind, PyDescr_TYPE(found))) {
        PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        if (member->type == T_OBJECT_EX && !(member->flags & READONLY) && member->offset > 0)
            return found;
    }
    Py_XDECREF(found);
    Py_INCREF(name);
    return name;
}

/* `place` comes from `pgallop_place_of` for the class of `made`. */
static inline int pgallop_set_attribute(PyObject *made, PyObject *place, PyObject *value) {
    if (Py_IS_TYPE(place, &PyMemberDescr_Type)) {
        Py_ssize_t offset = ((PyMemberDescrObject *)place)->d_member->offset;
        PyObject **slot = (PyObject **)((char *)made + offset);
        PyObject *old = *slot;
        Py_INCREF(value);
        *slot = value;
        Py_XDECREF(old);
        return 0;
    }
    return PyObject_GenericSetAttr(made, place, value);
}

/* There is a place for each of the values. */
static int pgallop_set_attributes(PyObject *made, PyObject *places, PyObject *values) {
    Py_ssize_t i, size = PyTuple_GET_SIZE(values);
    for (i = 0; i < size; i++)
        if (pgallop_set_attribute(made, PyTuple_GET_ITEM(places, i), PyTuple_GET_ITEM(values, i)))
            return -1;
    return 0;
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
static inline void pgallop_hide(PyObject *made) {
    if (PyObject_IS_GC(made))
        PyObject_GC_UnTrack(made);
}
static inline void pgallop_show(PyObject *rows, Py_ssize_t start, Py_ssize_t end) {
    Py_ssize_t i;
    for (i = start; i < end && i < PyList_GET_SIZE(rows); i++) {
        PyObject *made = PyList_GET_ITEM(rows, i);
        if (PyObject_IS_GC(made) && !PyObject_GC_IsTracked(made))
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
