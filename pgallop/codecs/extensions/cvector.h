/* Numbers of vectors at an offset: half-precision ones, which C has no type for, and many float4 at
   once. Callers have checked the bounds (reader.py, writer.py). */
#ifndef PGALLOP_CVECTOR_H
#define PGALLOP_CVECTOR_H
#include <Python.h>
#include <stdint.h>
#include <string.h>

static inline double pgallop_load_half(const unsigned char *base, Py_ssize_t pos) {
    return PyFloat_Unpack2((const char *)base + pos, 0);
}
static inline int pgallop_store_half(unsigned char *base, Py_ssize_t pos, double value) {
    return PyFloat_Pack2(value, (char *)base + pos, 0);
}

/* Write `count` floats, which are in `source` as the machine has them, in the order of the network.
   Ends at the first that is not finite, and returns its index, or -1. */
static inline Py_ssize_t pgallop_store_floats(unsigned char *base, Py_ssize_t pos,
                                              const unsigned char *source, Py_ssize_t count) {
    unsigned char *target = base + pos;
    for (Py_ssize_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, source + 4 * i, 4);
        if ((bits & 0x7f800000) == 0x7f800000) {
            return i;
        }
        target[4 * i] = (unsigned char)(bits >> 24);
        target[4 * i + 1] = (unsigned char)(bits >> 16);
        target[4 * i + 2] = (unsigned char)(bits >> 8);
        target[4 * i + 3] = (unsigned char)bits;
    }
    return -1;
}
#endif
