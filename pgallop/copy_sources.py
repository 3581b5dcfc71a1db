"""Where the data of a COPY into a table comes from: records, or bytes of any origin.

A source is read by the task of the caller and in its context, a piece at a time, when the network
has taken the one before. Files are read by the threads of the event loop's default executor, so
that a slow disk never stops the loop.
"""

import asyncio
import inspect
import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from itertools import chain
from typing import Any, Protocol, TypeAlias

from pgallop.codecs.codec import shown
from pgallop.session.copy_in import PIECE, CopyIn

# How many bytes are read from a file at a time. A trip to the executor takes about as long as to
# read so many that the system has in memory.
BLOCK = 262144

# What hands over the piece that was encoded, and waits until there is room for the next.
Flush: TypeAlias = Callable[[], Awaitable[None]]


class BinaryFile(Protocol):
    """What has bytes to read, such as a file that was opened in binary mode."""

    def read(self, size: int, /) -> Any: ...


class Source:
    """What a COPY reads: an iterable or an asynchronous one, of which the latter has precedence."""

    _items: Any
    _iterator: Any

    def __init__(self, items: Any) -> None:
        self._items = items
        self._is_async = is_a(items, AsyncIterable)
        self._iterator = None

    async def feed(self, request: CopyIn, flush: Flush) -> None:
        """Give all that is left of it to `request`."""

    def rewind(self, request: CopyIn) -> bool:
        """Begin again, after `request` has read some; False where what was read is gone."""
        if type(self._items) in (list, tuple):
            self._iterator = None
            return True
        return False

    async def close(self) -> None:
        """End what is not read to its end: a generator, and an iterator that was made here."""
        iterator = self._iterator
        if inspect.isgenerator(iterator):
            iterator.close()
        elif self._is_async and iterator is not None:
            is_ours = iterator is not self._items or inspect.isasyncgen(iterator)
            if is_ours and hasattr(iterator, "aclose"):
                await iterator.aclose()


class Records(Source):
    """Records, each a sequence with a value for each column."""

    def __init__(self, records: Any) -> None:
        if not is_a(records, AsyncIterable, Iterable) or is_a(records, str, bytes, Mapping):
            raise TypeError(
                f"records: expected an iterable or asynchronous iterable of records, got "
                f"{shown(records)} ({type(records).__name__})"
            )
        super().__init__(records)
        # Those that are to be encoded once more, in front of the others.
        self._again: list[Any] = []

    async def feed(self, request: CopyIn, flush: Flush) -> None:
        if type(self._items) in (list, tuple):
            request.kept = None  # they can be read again
        again, self._again = self._again, []
        if not self._is_async:
            if self._iterator is None:
                self._iterator = iter(self._items)
            records = chain(again, self._iterator) if again else self._iterator
            while request.fill(records):
                await flush()
            return
        records = iter(again)
        while request.fill(records):
            await flush()
        if self._iterator is None:
            self._iterator = aiter(self._items)
        async for record in self._iterator:
            if request.add_record(record):
                await flush()

    def rewind(self, request: CopyIn) -> bool:
        if super().rewind(request):
            return True
        if request.kept is None:
            return False
        self._again = request.kept
        return True


class Chunks(Source):
    """Bytes, in chunks of any size."""

    async def feed(self, request: CopyIn, flush: Flush) -> None:
        if self._is_async:
            self._iterator = aiter(self._items)
            async for chunk in self._iterator:
                for part in parts(chunk):
                    if request.add_bytes(part):
                        await flush()
        else:
            self._iterator = iter(self._items)
            for chunk in self._iterator:
                for part in parts(chunk):
                    if request.add_bytes(part):
                        await flush()


def byte_source(source: Any) -> Chunks:
    """What reads `source`: a path, a file, bytes, or an iterable of bytes.

    Raises:
        TypeError: it is nothing of that.
    """
    if is_a(source, bytes, bytearray):
        return Chunks([source])
    if is_a(source, str, os.PathLike):
        return Chunks(blocks_of_path(source))
    if hasattr(source, "read"):
        return Chunks(blocks(source))
    if is_a(source, AsyncIterable):
        return Chunks(source)
    try:
        return Chunks([memoryview(source)])
    except TypeError:
        pass
    if is_a(source, Iterable) and not is_a(source, Mapping):
        return Chunks(source)
    raise TypeError(
        f"source: expected a path, a binary file, bytes, or an iterable or asynchronous iterable "
        f"of bytes, got {shown(source)} ({type(source).__name__})"
    )


def is_a(value: object, *kinds: type[Any]) -> bool:
    """Whether it is an instance of one of these, of whose types nothing more is known then."""
    return isinstance(value, kinds)


def parts(chunk: Any) -> Iterator[bytes]:
    """`chunk`, which is bytes or anything like that, in pieces."""
    if type(chunk) is bytes and len(chunk) <= PIECE:
        yield chunk
        return
    try:
        view = memoryview(chunk)
    except TypeError:
        raise TypeError(
            f"source: expected bytes, got {shown(chunk)} ({type(chunk).__name__})"
            + (": a text has to be encoded, a file opened in binary mode" * isinstance(chunk, str))
        ) from None
    if not view.nbytes:
        return
    view = view.cast("B")
    for start in range(0, view.nbytes, PIECE):
        yield bytes(view[start : start + PIECE])


async def blocks(file: BinaryFile) -> AsyncGenerator[Any, None]:
    """What is read from a file, which stays open."""
    loop = asyncio.get_running_loop()
    while True:
        if inspect.iscoroutinefunction(file.read):
            block = await file.read(BLOCK)
        else:
            block = await loop.run_in_executor(None, file.read, BLOCK)
        if not isinstance(block, str) and block is not None and len(block) == 0:
            return
        yield block


async def blocks_of_path(path: "str | os.PathLike[str]") -> AsyncIterator[bytes]:
    """What is read from the file of this name."""
    loop = asyncio.get_running_loop()
    opening = loop.run_in_executor(None, open, path, "rb")
    try:
        file = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(close_unused)
        raise
    is_left = False
    try:
        while block := await loop.run_in_executor(None, file.read, BLOCK):
            yield block
    except asyncio.CancelledError:
        is_left = True
        raise
    finally:
        # By a thread, too, for it has to wait for what still reads. That may take for ever, where
        # it is no file but a pipe: so who was cancelled does not wait.
        closing = loop.run_in_executor(None, file.close)
        if not is_left:
            await asyncio.shield(closing)


def close_unused(opening: "asyncio.Future[Any]") -> None:
    """Close the file whose opening nobody has waited for."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
