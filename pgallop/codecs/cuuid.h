/* uuid.UUID made and read without Python code: 49 ns to make one, where its constructor takes 1,000
   and object.__new__ with the slots' setters 190.

   A UUID is its two slots, `int` and `is_safe`. The class disables setting them; where they are, its
   member descriptors tell. If these tell anything unexpected, objects are filled the way the
   constructor does it, by object.__setattr__. */
#ifndef PGALLOP_CUUID_H
#define PGALLOP_CUUID_H
#include <Python.h>
#include <structmember.h>
#include <string.h>

static PyTypeObject *pgallop_uuid_type;      /* uuid.UUID */
static PyObject *pgallop_uuid_unknown;       /* uuid.SafeUUID.unknown, the constructor's default */
static PyObject *pgallop_uuid_int_name;      /* "int" */
static PyObject *pgallop_uuid_safe_name;     /* "is_safe" */
static Py_ssize_t pgallop_uuid_int_place;    /* offsets in an instance, 0 if they are not known */
static Py_ssize_t pgallop_uuid_safe_place;

/* The offset of a plain, writable slot that `type` itself defines, or 0. */
static Py_ssize_t pgallop_uuid_place(PyTypeObject *type, PyObject *name) {
    Py_ssize_t place = 0;
    PyObject *descriptor = PyObject_GetAttr((PyObject *)type, name);
    if (descriptor == NULL) {
        PyErr_Clear();
        return 0;
    }
    if (Py_IS_TYPE(descriptor, &PyMemberDescr_Type) && PyDescr_TYPE(descriptor) == type) {
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        Py_ssize_t last = type->tp_basicsize - (Py_ssize_t)sizeof(PyObject *);
        if (member->type == T_OBJECT_EX && !(member->flags & READONLY)
            && member->offset >= (Py_ssize_t)sizeof(PyObject) && member->offset <= last
            && member->offset % (Py_ssize_t)sizeof(PyObject *) == 0) {
            place = member->offset;
        }
    }
    Py_DECREF(descriptor);
    return place;
}

/* Learn what instances of `type` look like; once, at import. */
static int pgallop_uuid_prepare(PyObject *type, PyObject *unknown) {
    if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "uuid.UUID is not a class");
        return -1;
    }
    pgallop_uuid_int_name = PyUnicode_InternFromString("int");
    pgallop_uuid_safe_name = PyUnicode_InternFromString("is_safe");
    if (pgallop_uuid_int_name == NULL || pgallop_uuid_safe_name == NULL) {
        return -1;
    }
    Py_INCREF(type);
    Py_INCREF(unknown);
    pgallop_uuid_type = (PyTypeObject *)type;
    pgallop_uuid_unknown = unknown;
    pgallop_uuid_int_place = pgallop_uuid_place(pgallop_uuid_type, pgallop_uuid_int_name);
    pgallop_uuid_safe_place = pgallop_uuid_place(pgallop_uuid_type, pgallop_uuid_safe_name);
    if (pgallop_uuid_int_place == 0 || pgallop_uuid_safe_place == 0
        || pgallop_uuid_int_place == pgallop_uuid_safe_place) {
        pgallop_uuid_int_place = 0;
    }
    return 0;
}

static inline PyObject *pgallop_uuid_number(const unsigned char *bytes) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyLong_FromUnsignedNativeBytes(bytes, 16, Py_ASNATIVEBYTES_BIG_ENDIAN);
#else
    return _PyLong_FromByteArray(bytes, 16, 0, 0);
#endif
}

/* The UUID whose 16 bytes are at base[pos]. */
static PyObject *pgallop_uuid_load(const unsigned char *base, Py_ssize_t pos) {
    PyObject *number = pgallop_uuid_number(base + pos);
    if (number == NULL) {
        return NULL;
    }
    PyObject *self = pgallop_uuid_type->tp_alloc(pgallop_uuid_type, 0);
    if (self == NULL) {
        Py_DECREF(number);
        return NULL;
    }
    if (pgallop_uuid_int_place) {
        Py_INCREF(pgallop_uuid_unknown);
        *(PyObject **)((char *)self + pgallop_uuid_int_place) = number;
        *(PyObject **)((char *)self + pgallop_uuid_safe_place) = pgallop_uuid_unknown;
        /* It refers to an int and to a constant: the collector has nothing to find there. */
        PyObject_GC_UnTrack(self);
        return self;
    }
    int failed = PyObject_GenericSetAttr(self, pgallop_uuid_int_name, number) < 0
        || PyObject_GenericSetAttr(self, pgallop_uuid_safe_name, pgallop_uuid_unknown) < 0;
    Py_DECREF(number);
    if (failed) {
        Py_DECREF(self);
        return NULL;
    }
    return self;
}

/* Write the 16 bytes of `value`, which is exactly a uuid.UUID, to base[pos]. */
static int pgallop_uuid_store(unsigned char *base, Py_ssize_t pos, PyObject *value) {
    PyObject *number = NULL;
    if (pgallop_uuid_int_place) {
        number = *(PyObject **)((char *)value + pgallop_uuid_int_place);
        Py_XINCREF(number);
    }
    if (number == NULL) {
        number = PyObject_GetAttr(value, pgallop_uuid_int_name);
        if (number == NULL) {
            return -1;
        }
    }
    int result = -1;
    if (!PyLong_Check(number)) {
        PyErr_SetString(PyExc_TypeError, "the int of a UUID is not an int");
    } else {
#if PY_VERSION_HEX >= 0x030D0000
        Py_ssize_t needed = PyLong_AsNativeBytes(number, base + pos, 16,
            Py_ASNATIVEBYTES_BIG_ENDIAN | Py_ASNATIVEBYTES_UNSIGNED_BUFFER
                | Py_ASNATIVEBYTES_REJECT_NEGATIVE);
        if (needed > 16) {
            PyErr_SetString(PyExc_OverflowError, "the int of a UUID has more than 128 bits");
        } else if (needed >= 0) {
            result = 0;
        }
#else
        result = _PyLong_AsByteArray((PyLongObject *)number, base + pos, 16, 0, 0);
#endif
    }
    Py_DECREF(number);
    return result;
}

static inline int pgallop_uuid_digit(unsigned char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Read 32 hexadecimal digits, in the groups 8-4-4-4-12 or without hyphens; 0 for anything else. */
static int pgallop_uuid_parse(PyObject *text, unsigned char *target) {
    if (!PyUnicode_IS_COMPACT_ASCII(text)) {
        return 0;
    }
    const unsigned char *source = PyUnicode_1BYTE_DATA(text);
    int hyphens = PyUnicode_GET_LENGTH(text) == 36;
    if (!hyphens && PyUnicode_GET_LENGTH(text) != 32) {
        return 0;
    }
    for (int i = 0; i < 16; i++) {
        if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10) && *source++ != '-') {
            return 0;
        }
        int high = pgallop_uuid_digit(source[0]);
        int low = pgallop_uuid_digit(source[1]);
        if (high < 0 || low < 0) {
            return 0;
        }
        target[i] = (unsigned char)(high << 4 | low);
        source += 2;
    }
    return 1;
}

/* Write the 16 bytes of the UUID that `text` means to base[pos]; the usual forms in C. */
static int pgallop_uuid_store_text(unsigned char *base, Py_ssize_t pos, PyObject *text) {
    if (pgallop_uuid_parse(text, base + pos)) {
        return 0;
    }
    PyObject *value = PyObject_CallOneArg((PyObject *)pgallop_uuid_type, text);
    if (value == NULL) {
        return -1;
    }
    int result = pgallop_uuid_store(base, pos, value);
    Py_DECREF(value);
    return result;
}
#endif
