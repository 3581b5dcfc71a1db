from pgallop.session.request cimport Request


cdef int refuse_copy(Request request, int tag, bint extended) except -1
