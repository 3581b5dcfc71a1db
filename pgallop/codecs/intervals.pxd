from cpython cimport datetime as cdatetime
from cpython.datetime cimport timedelta
from libc.stdint cimport int32_t, int64_t

cimport cython

from pgallop.codecs cimport cinterval
from pgallop.codecs.datetimes cimport TemporalCodec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer

cdef int SECONDS_PER_DAY
cdef int64_t MICROSECONDS_PER_DAY
cdef int MAX_DELTA_DAYS


cdef class IntervalCodec(TemporalCodec):
    @cython.locals(days=int, seconds=int64_t, microseconds=int64_t)
    cdef int write_delta(self, Writer writer, timedelta delta) except -1

    cdef int write_parts(
        self, Writer writer, int32_t months, int32_t days, int64_t microseconds) except -1

    cdef object plain(self, object value)

    @cython.locals(microseconds=int64_t, day=int64_t, month=int64_t, year=int64_t, seconds=int64_t,
                   whole_days=int64_t, days=int64_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    cdef object beyond(self, object month, object day, object microseconds, object days)
