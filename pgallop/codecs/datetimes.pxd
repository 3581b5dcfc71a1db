from cpython cimport datetime as cdatetime
from cpython.datetime cimport date, datetime, time, timedelta
from libc.stdint cimport int32_t, int64_t

cimport cython

from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer

cdef object UTC
cdef int SECONDS_PER_DAY
cdef int64_t UNIX_EPOCH
cdef int FIRST_DAY
cdef int LAST_DAY
cdef int64_t FIRST_MOMENT
cdef int64_t LAST_MOMENT
cdef int INFINITE_DAY
cdef int MINUS_INFINITE_DAY
cdef int64_t INFINITE_MOMENT
cdef int64_t MINUS_INFINITE_MOMENT
cdef int OFFSET_LIMIT


@cython.locals(era=int64_t, year=int64_t, month=int64_t)
cdef int64_t civil_date(int64_t day) noexcept


@cython.locals(days=int)
cdef int day_number(int year, int month, int day) noexcept


cdef int64_t microseconds_of(
    int64_t days, int64_t seconds, int64_t microseconds) noexcept
cdef int64_t moment_number(datetime moment) noexcept
cdef int64_t offset_microseconds(timedelta offset) noexcept


cdef class TemporalCodec(Codec):
    cdef readonly str out_of_range
    cdef readonly bint max_is_infinity

    cdef object beyond_python(self, str text, str limit, object nearest)
    cdef bint is_form(self, object value) except -1
    cdef int write_form(self, Writer writer, object text) except -1


cdef class DateCodec(TemporalCodec):
    @cython.locals(day=int)
    cdef int write_day(self, Writer writer, date plain) except -1

    cdef object plain(self, object value)

    @cython.locals(day=int32_t, packed=int64_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    cdef object beyond(self, int32_t day)


cdef class TimeCodec(TemporalCodec):
    @cython.locals(seconds=int)
    cdef int write_clock(self, Writer writer, time clock) except -1

    cdef object plain(self, object value)

    @cython.locals(seconds=int64_t, second=int)
    cdef object clock(self, int64_t microseconds, object zone)

    cdef object beyond(self, int64_t microseconds, object zone)


cdef class TimetzCodec(TimeCodec):
    @cython.locals(offset=object, east=int64_t, seconds=int64_t)
    cdef int write_clock_with_offset(self, Writer writer, object value) except -1

    cdef object refuse_zone(self, object value)

    @cython.locals(microseconds=int64_t, west=int32_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class TimestampCodec(TemporalCodec):
    cdef object zone

    cdef int write_datetime(self, Writer writer, datetime moment, object value) except -1
    cdef int write_infinity(self, Writer writer, object value) except -1
    cdef object refuse_offset(self, object value)
    cdef object plain(self, object value)
    cdef int write_moment(self, Writer writer, int64_t microseconds) except -1

    @cython.locals(microseconds=int64_t, seconds=int64_t, day=int64_t, packed=int64_t, second=int)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    cdef object beyond(self, int64_t microseconds)


cdef class TimestamptzCodec(TimestampCodec):
    @cython.locals(microseconds=int64_t, seconds=int64_t)
    cdef int64_t utc_number(self, datetime moment) except? -1
