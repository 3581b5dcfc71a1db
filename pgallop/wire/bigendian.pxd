# Interpreted twin: bigendian.py (this header is C only, nothing to compile)
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t


cdef extern from "bigendian.h" nogil:
    uint16_t load_uint16 "pgallop_load_uint16"(const unsigned char *base, Py_ssize_t pos)
    int16_t load_int16 "pgallop_load_int16"(const unsigned char *base, Py_ssize_t pos)
    uint32_t load_uint32 "pgallop_load_uint32"(const unsigned char *base, Py_ssize_t pos)
    int32_t load_int32 "pgallop_load_int32"(const unsigned char *base, Py_ssize_t pos)
    uint64_t load_uint64 "pgallop_load_uint64"(const unsigned char *base, Py_ssize_t pos)
    int64_t load_int64 "pgallop_load_int64"(const unsigned char *base, Py_ssize_t pos)
    float load_float32 "pgallop_load_float32"(const unsigned char *base, Py_ssize_t pos)
    double load_float64 "pgallop_load_float64"(const unsigned char *base, Py_ssize_t pos)
    Py_ssize_t find_nul "pgallop_find_nul"(
        const unsigned char *base, Py_ssize_t start, Py_ssize_t end)

    void store_int16 "pgallop_store_int16"(unsigned char *base, Py_ssize_t pos, int16_t value)
    void store_uint16 "pgallop_store_int16"(unsigned char *base, Py_ssize_t pos, uint16_t value)
    void store_int32 "pgallop_store_int32"(unsigned char *base, Py_ssize_t pos, int32_t value)
    void store_uint32 "pgallop_store_int32"(unsigned char *base, Py_ssize_t pos, uint32_t value)
    void store_int64 "pgallop_store_int64"(unsigned char *base, Py_ssize_t pos, int64_t value)
    void store_uint64 "pgallop_store_int64"(unsigned char *base, Py_ssize_t pos, uint64_t value)
    void store_float32 "pgallop_store_float32"(unsigned char *base, Py_ssize_t pos, float value)
    void store_float64 "pgallop_store_float64"(unsigned char *base, Py_ssize_t pos, double value)
    void store_bytes "pgallop_store_bytes"(
        unsigned char *base, Py_ssize_t pos, const unsigned char *source, Py_ssize_t size)
    void copy_bytes "pgallop_copy_bytes"(
        unsigned char *base, Py_ssize_t pos, const unsigned char *source, Py_ssize_t start,
        Py_ssize_t size)


cdef extern from "bigendian.h":
    int64_t int64 "PyLong_AsLongLong"(object value) except? -1
    double float64 "PyFloat_AsDouble"(object value) except? -1
