# Interpreted twin: clist.py (this header is C only, nothing to compile)
cdef extern from "clist.h":
    list new_list "pgallop_new_list"(Py_ssize_t size)
    void fill "pgallop_list_fill"(list values, Py_ssize_t i, object value)
    list filled "pgallop_list_filled"(list values)
