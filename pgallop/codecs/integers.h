/* Ints made once. Most of what a database holds is small numbers: counts, ages, keys of small tables. */
#ifndef PGALLOP_INTEGERS_H
#define PGALLOP_INTEGERS_H
#include <Python.h>
#include <stdint.h>

#ifdef Py_GIL_DISABLED
/* Threads would count references to the same few objects against each other. */
static inline PyObject *pgallop_integer(int64_t number) {
    return PyLong_FromLongLong(number);
}
#else
#define PGALLOP_MADE_ONCE 16384

static PyObject *pgallop_integers[PGALLOP_MADE_ONCE];

static PyObject *pgallop_make_integer(int64_t number) {
    PyObject *made = PyLong_FromLongLong(number);
    if (number < 0 || number >= PGALLOP_MADE_ONCE)
        return made;
    pgallop_integers[number] = made;
    Py_XINCREF(made);
    return made;
}

static inline PyObject *pgallop_integer(int64_t number) {
    if ((uint64_t)number < PGALLOP_MADE_ONCE && pgallop_integers[number] != NULL) {
        Py_INCREF(pgallop_integers[number]);
        return pgallop_integers[number];
    }
    return pgallop_make_integer(number);
}
#endif

/* Into an empty slot of a list. */
static inline int pgallop_fill_integer(PyObject *list, Py_ssize_t i, int64_t number) {
    PyObject *made = pgallop_integer(number);
    if (made == NULL)
        return -1;
    PyList_SET_ITEM(list, i, made);
    return 0;
}
#endif
