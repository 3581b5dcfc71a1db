from libc.stdint cimport int32_t, uint32_t

cimport cython

from pgallop.codecs cimport clist
from pgallop.codecs.arrays cimport ArrayCodec
from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef int MAX_NESTING


cdef class RecordCodec(Codec):
    cdef readonly object registry
    cdef dict codecs

    @cython.locals(count=int32_t, start=Py_ssize_t, end=Py_ssize_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    @cython.locals(values=list, codec=Codec, i=Py_ssize_t, size=Py_ssize_t, start=Py_ssize_t,
                   end=Py_ssize_t, oid=uint32_t)
    cdef tuple fields(self, Reader reader, Py_ssize_t count)

    cdef set unknown(self, Reader reader, Py_ssize_t count)

    @cython.locals(codec=Codec, found=Codec)
    cdef Codec codec_of(self, uint32_t oid)


cdef class RecordArrayCodec(ArrayCodec):
    pass
