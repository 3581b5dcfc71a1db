/* Big-endian loads and stores at an offset. Callers have checked the bounds (reader.py, writer.py);
   the compiler turns each of these into one move and one byte swap. */
#ifndef PGALLOP_BIGENDIAN_H
#define PGALLOP_BIGENDIAN_H
#include <stdint.h>
#include <string.h>

typedef const unsigned char *pgallop_source;
typedef unsigned char *pgallop_target;

static inline uint16_t pgallop_load_uint16(pgallop_source p, Py_ssize_t i) {
    p += i;
    return (uint16_t)((p[0] << 8) | p[1]);
}
static inline int16_t pgallop_load_int16(pgallop_source p, Py_ssize_t i) {
    return (int16_t)pgallop_load_uint16(p, i);
}
static inline uint32_t pgallop_load_uint32(pgallop_source p, Py_ssize_t i) {
    p += i;
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}
static inline int32_t pgallop_load_int32(pgallop_source p, Py_ssize_t i) {
    return (int32_t)pgallop_load_uint32(p, i);
}
static inline uint64_t pgallop_load_uint64(pgallop_source p, Py_ssize_t i) {
    return ((uint64_t)pgallop_load_uint32(p, i) << 32) | pgallop_load_uint32(p, i + 4);
}
static inline int64_t pgallop_load_int64(pgallop_source p, Py_ssize_t i) {
    return (int64_t)pgallop_load_uint64(p, i);
}
static inline float pgallop_load_float32(pgallop_source p, Py_ssize_t i) {
    uint32_t bits = pgallop_load_uint32(p, i);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline double pgallop_load_float64(pgallop_source p, Py_ssize_t i) {
    uint64_t bits = pgallop_load_uint64(p, i);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void pgallop_store_int16(pgallop_target p, Py_ssize_t i, uint16_t v) {
    p += i;
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
}
static inline void pgallop_store_int32(pgallop_target p, Py_ssize_t i, uint32_t v) {
    p += i;
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}
static inline void pgallop_store_int64(pgallop_target p, Py_ssize_t i, uint64_t v) {
    pgallop_store_int32(p, i, (uint32_t)(v >> 32));
    pgallop_store_int32(p, i + 4, (uint32_t)v);
}
static inline void pgallop_store_float32(pgallop_target p, Py_ssize_t i, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    pgallop_store_int32(p, i, bits);
}
static inline void pgallop_store_float64(pgallop_target p, Py_ssize_t i, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    pgallop_store_int64(p, i, bits);
}
static inline void pgallop_store_bytes(pgallop_target p, Py_ssize_t i, pgallop_source source,
                                       Py_ssize_t size) {
    memcpy(p + i, source, (size_t)size);
}

static inline void pgallop_copy_bytes(pgallop_target p, Py_ssize_t i, pgallop_source source,
                                      Py_ssize_t start, Py_ssize_t size) {
    memcpy(p + i, source + start, (size_t)size);
}

/* The offset of the first NUL in p[start:end], or -1. */
static inline Py_ssize_t pgallop_find_nul(pgallop_source p, Py_ssize_t start, Py_ssize_t end) {
    const unsigned char *found = memchr(p + start, 0, (size_t)(end - start));
    return found ? (Py_ssize_t)(found - p) : -1;
}
#endif
