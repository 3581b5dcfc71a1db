/* An instance of a class of timedeltas with a slot: without the parsing of arguments, and without
   their arithmetic, which take most of the time of timedelta's own constructor. */
#ifndef PGALLOP_CINTERVAL_H
#define PGALLOP_CINTERVAL_H
#include <Python.h>
#include <datetime.h>

/* The module that includes this has imported the datetime module's functions. */
static inline PyObject *pgallop_new_interval(PyObject *kind, PyObject *slot, int days, int seconds,
                                             int microseconds, PyObject *parts) {
    PyObject *interval = PyDateTimeAPI->Delta_FromDelta(days, seconds, microseconds, 0,
                                                        (PyTypeObject *)kind);
    if (interval != NULL && Py_TYPE(slot)->tp_descr_set(slot, interval, parts) < 0)
        Py_CLEAR(interval);
    return interval;
}
#endif
