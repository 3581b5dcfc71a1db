cimport cython

from pgallop.rows cimport cpython, instances
from pgallop.rows.decode cimport RowDecoder
from pgallop.rows.fitting cimport Fit
from pgallop.rows.record cimport Record, Shape
from pgallop.wire.framing cimport Framing
from pgallop.wire.reader cimport Reader


cdef class Builder:
    cdef readonly str owner
    cdef readonly tuple columns
    cdef readonly tuple types
    cdef readonly tuple fields
    cdef readonly bytes checks
    cdef readonly tuple fits
    cdef readonly bint takes_all
    cdef readonly bint runs_code

    cdef object build(self, tuple values)
    cdef object make(self, tuple values)
    @cython.locals(i=Py_ssize_t, first=Py_ssize_t, checks=bytes, check=int, made=list)
    cdef tuple checked(self, tuple values)
    cdef Fit fit_at(self, Py_ssize_t i)


cdef class Nested(Fit):
    cdef readonly object kind
    cdef readonly object plan
    cdef dict builders
    cdef tuple names
    cdef Builder builder

    @cython.locals(builder=Builder, fields=tuple, names=tuple, record=Record)
    cdef object convert(self, object value)
    cdef Builder builder_of(self, tuple names)


cdef class Records(Builder):
    cdef public object kind
    cdef public Shape shape

    @cython.locals(made=Record)
    cdef object make(self, tuple values)


cdef class WithColumns(Builder):
    cdef public tuple oids


cdef class Lists(Builder):
    pass


cdef class Mappings(Builder):
    cdef public dict template
    cdef public tuple keys
    cdef public object finish

    @cython.locals(i=Py_ssize_t, keys=tuple, made=dict)
    cdef object make(self, tuple values)


cdef class Tuples(Builder):
    cdef public object kind
    cdef public tuple order
    cdef public tuple defaults

    cdef object make(self, tuple values)


@cython.locals(i=Py_ssize_t, k=Py_ssize_t, made=tuple)
cdef tuple arranged(tuple values, tuple order, tuple defaults)


cdef class Instances(Builder):
    cdef public object kind
    cdef public tuple names
    cdef public object fill
    cdef public tuple constants
    cdef public tuple factories

    cdef object make(self, tuple values)


cdef class Calls(Builder):
    cdef public object function
    cdef public Py_ssize_t positional
    cdef public tuple names
    cdef public tuple order

    cdef object make(self, tuple values)


@cython.final
cdef class Unbuilt:
    cdef readonly list rows
    cdef readonly Builder builder
    cdef readonly Py_ssize_t done
    cdef readonly Py_ssize_t hidden


@cython.final
cdef class TypedRows:
    cdef readonly RowDecoder decoder
    cdef readonly Builder builder
    cdef bint hides

    cdef object decode(self, Reader reader, Py_ssize_t number)
    @cython.locals(count=Py_ssize_t, reader=Reader)
    cdef Py_ssize_t decode_rows(self, Framing framing, list rows, Py_ssize_t most) except -1
    @cython.locals(builder=Builder, decoder=RowDecoder, record=Record)
    cdef object read(self, Reader reader)
