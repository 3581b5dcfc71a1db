/* Freed records are kept to be used again, each with its tuple.

   A thousand rows leave a thousand records behind, and the next result takes them: without the
   allocator, and without the collector, which counts what is allocated to know when to run. As many
   are kept as ten results of a thousand rows take that are read at once, each while the one before it
   is still there; with 1,000 a row takes twice as long.

   Kept are records that the collector does not know (`Codec.atomic`), by the number of columns. Their
   tuples have empty slots, which nobody can see: they belong to the record only, and it to no one. */
#ifndef PGALLOP_RECYCLING_H
#define PGALLOP_RECYCLING_H
#include <Python.h>
#include <stddef.h>

#ifdef Py_GIL_DISABLED
/* Several threads would take the same one. */
#define pgallop_recycle(type) ((void)(type))
static inline PyObject *pgallop_kept(Py_ssize_t width) {
    (void)width;
    Py_RETURN_NONE;
}
#else
#define PGALLOP_WIDEST 16
#define PGALLOP_MOST_KEPT 16384

static PyObject *pgallop_kept_records[PGALLOP_WIDEST + 1][PGALLOP_MOST_KEPT];
static int pgallop_kept_counts[PGALLOP_WIDEST + 1];
static PyTypeObject *pgallop_record;
static destructor pgallop_free_record;
static size_t pgallop_fields_at, pgallop_shape_at;

/* A record whose tuple has `width` empty slots and whose shape is None; None if none is kept. */
static inline PyObject *pgallop_kept(Py_ssize_t width) {
    PyObject *record;
    if (width > PGALLOP_WIDEST || pgallop_kept_counts[width] == 0)
        Py_RETURN_NONE;
    record = pgallop_kept_records[width][--pgallop_kept_counts[width]];
#ifdef Py_REF_DEBUG
    return PyObject_Init(record, pgallop_record);
#else
    Py_SET_REFCNT(record, 1); /* its type has stayed, and the reference to that */
    return record;
#endif
}

/* In the place of the type's own tp_dealloc, which subclasses made in Python call, too. */
static void pgallop_dealloc_record(PyObject *record) {
    PyObject *fields = *(PyObject **)((char *)record + pgallop_fields_at);
    Py_ssize_t width, i;
    if (Py_TYPE(record) == pgallop_record && !PyObject_GC_IsTracked(record)
            && PyTuple_CheckExact(fields) && Py_REFCNT(fields) == 1
            && (width = PyTuple_GET_SIZE(fields)) > 0 && width <= PGALLOP_WIDEST) {
        PyObject **shape = (PyObject **)((char *)record + pgallop_shape_at);
        for (i = 0; i < width; i++) {
            PyObject *value = PyTuple_GET_ITEM(fields, i);
            PyTuple_SET_ITEM(fields, i, NULL);
            Py_XDECREF(value);
        }
        Py_INCREF(Py_None);
        Py_SETREF(*shape, Py_None);
        if (pgallop_kept_counts[width] < PGALLOP_MOST_KEPT) {
            pgallop_kept_records[width][pgallop_kept_counts[width]++] = record;
            return;
        }
    }
    pgallop_free_record(record);
}

/* A macro, for Cython declares the record's layout behind this header. */
#define pgallop_recycle(type) do { \
    pgallop_record = (PyTypeObject *)(type); \
    pgallop_fields_at = offsetof(struct __pyx_obj_7pgallop_4rows_6record_Record, fields); \
    pgallop_shape_at = offsetof(struct __pyx_obj_7pgallop_4rows_6record_Record, shape); \
    pgallop_free_record = pgallop_record->tp_dealloc; \
    pgallop_record->tp_dealloc = pgallop_dealloc_record; \
} while (0)
#endif
#endif
