cimport cython

from pgallop.codecs cimport cascii
from pgallop.codecs.addresses cimport Family
from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer


cdef bytes HEXADECIMAL
cdef int COLON


cdef class NetworkCodec(Codec):
    cdef bint is_cidr
    cdef Family v4
    cdef Family v6

    @cython.locals(data=bytes)
    cdef int write_network(self, Writer writer, object value, object address, int bits) except -1

    @cython.locals(family=int, bits=int, width=int, kind=Family)
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class InetCodec(NetworkCodec):
    cdef object parse(self, object text)


cdef class CidrCodec(NetworkCodec):
    cdef object parse(self, object text)


cdef class MacaddrCodec(Codec):
    cdef Py_ssize_t width

    @cython.locals(data=bytes)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(width=Py_ssize_t, pos=Py_ssize_t, i=Py_ssize_t, byte=int, text=str,
                   target="unsigned char *")
    cdef object decode(self, Reader reader, Py_ssize_t size)
