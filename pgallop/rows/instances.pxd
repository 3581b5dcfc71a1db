# Interpreted twin: instances.py (this header is C only, nothing to compile)
cdef extern from "instances.h":
    object tuple_of "pgallop_tuple_of"(object kind, tuple values)
    object new "pgallop_new"(object kind)
    object new_of "pgallop_new_of"(object base, object kind)
    int set_attribute "pgallop_set_attribute"(object made, object name, object value) except -1
    int set_attributes "pgallop_set_attributes"(object made, tuple names, tuple values) except -1
    int fill "pgallop_fill_instance"(object function, object made, tuple values) except -1
    Py_ssize_t first_in_question "pgallop_first_in_question"(tuple values, bytes checks)
    object call "pgallop_call"(object function, tuple values, Py_ssize_t positional, tuple names)
    int enter "pgallop_enter"() except -1
    void leave "pgallop_leave"()
    bint is_collected "pgallop_is_collected"(object kind)
    void hide "pgallop_hide"(object made)
    void show "pgallop_show"(list rows, Py_ssize_t start, Py_ssize_t end)
