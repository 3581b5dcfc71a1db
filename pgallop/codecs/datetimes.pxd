from cpython cimport datetime as cdatetime
from cpython.datetime cimport date, datetime, time, timedelta
from libc.stdint cimport int32_t, int64_t

cimport cython

from pgallop.codecs.codec cimport Codec
from pgallop.wire.reader cimport Reader
from pgallop.wire.writer cimport Writer

cdef object UTC
cdef int SECONDS_PER_DAY
cdef int FIRST_DAY
cdef int LAST_DAY
cdef int64_t FIRST_MOMENT
cdef int64_t LAST_MOMENT
cdef int INFINITE_DAY
cdef int MINUS_INFINITE_DAY
cdef int64_t INFINITE_MOMENT
cdef int64_t MINUS_INFINITE_MOMENT
cdef int MAX_DELTA_DAYS
cdef int OFFSET_LIMIT


@cython.locals(era=int64_t, year=int64_t, month=int64_t)
cdef int64_t civil_date(int64_t day) noexcept


@cython.locals(days=int)
cdef int day_number(int year, int month, int day) noexcept


cdef int64_t microseconds_of(
    int64_t days, int64_t seconds, int64_t microseconds) noexcept
cdef int64_t moment_number(datetime moment) noexcept
cdef int64_t offset_microseconds(timedelta offset) noexcept
cdef tuple date_text(int64_t day)
cdef str clock_text(object microseconds)


cdef class TemporalCodec(Codec):
    pass


cdef class DateCodec(TemporalCodec):
    @cython.locals(plain=date, day=int)
    cdef int encode(self, Writer writer, object value) except -1

    cdef object plain(self, object value)

    @cython.locals(day=int32_t, packed=int64_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    cdef object beyond(self, int32_t day)


cdef class TimeCodec(TemporalCodec):
    @cython.locals(clock=time, seconds=int)
    cdef int encode(self, Writer writer, object value) except -1

    cdef object plain(self, object value)

    @cython.locals(seconds=int64_t, second=int)
    cdef object clock(self, int64_t microseconds, object zone)

    cdef object beyond(self, int64_t microseconds)


cdef class TimetzCodec(TimeCodec):
    @cython.locals(offset=object, east=int64_t, seconds=int64_t)
    cdef int encode(self, Writer writer, object value) except -1

    cdef object refuse_zone(self, object value)

    @cython.locals(microseconds=int64_t, west=int32_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)


cdef class TimestampCodec(TemporalCodec):
    cdef object zone

    @cython.locals(moment=datetime)
    cdef int encode(self, Writer writer, object value) except -1

    cdef object plain(self, object value)
    cdef int write_moment(self, Writer writer, int64_t microseconds) except -1

    @cython.locals(microseconds=int64_t, seconds=int64_t, day=int64_t, packed=int64_t, second=int)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    cdef object beyond(self, int64_t microseconds, int64_t day)


cdef class TimestamptzCodec(TimestampCodec):
    @cython.locals(moment=datetime)
    cdef int encode(self, Writer writer, object value) except -1

    @cython.locals(microseconds=int64_t)
    cdef int64_t utc_number(self, datetime moment) except? -1


cdef class IntervalCodec(TemporalCodec):
    @cython.locals(seconds=int, microseconds=int)
    cdef int encode(self, Writer writer, object value) except -1

    cdef object plain(self, object value)

    @cython.locals(microseconds=int64_t, day=int64_t, month=int64_t, year=int64_t, seconds=int64_t,
                   whole_days=int64_t, days=int64_t)
    cdef object decode(self, Reader reader, Py_ssize_t size)

    cdef object beyond(self, object month, object day, object microseconds)
