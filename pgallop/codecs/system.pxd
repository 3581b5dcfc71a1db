from libc.stdint cimport int32_t, uint64_t

cimport cython

from pgallop.codecs cimport clist
from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef class SystemCodec(Codec):
    cdef object number(self, object value, object part, object limit, str name)
    cdef tuple parts(self, object value, Py_ssize_t length)


cdef class CounterCodec(SystemCodec):
    pass


cdef class TidCodec(SystemCodec):
    pass


cdef class SnapshotCodec(SystemCodec):
    @cython.locals(count=int32_t, xmin=uint64_t, xmax=uint64_t, running=list, i=Py_ssize_t,
                   low=uint64_t, xip=uint64_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)
