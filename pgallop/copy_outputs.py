"""Where the data of a COPY goes: a path, a file, a function.

Files are written by a thread, a block at a time: the next one comes in meanwhile, and a disk that
is slow holds up nobody else. What is in memory, and what functions do, is done by the caller's
task.
"""

import asyncio
import inspect
import io
import os
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeAlias


class Writable(Protocol):
    """A binary file, or what is written like one."""

    def write(self, data: bytes, /) -> object: ...


# What `output` may be.
Destination: TypeAlias = "str | bytes | os.PathLike[Any] | Writable | Callable[[bytes], object]"


class Output(Protocol):
    """What takes the data of one COPY."""

    async def write(self, data: bytes) -> None:
        """Take a block; what this raises ends the COPY."""

    async def close(self) -> None:
        """All of it has been written."""

    def leave(self) -> None:
        """Nothing more comes, and nobody waits."""


async def open_output(loop: asyncio.AbstractEventLoop, output: Any) -> Output:
    """What writes to `output`; a path is opened, and its file emptied.

    Raises:
        TypeError: nothing can be written to that.
        OSError: a path cannot be opened.
    """
    check_output(output)
    if is_path(output):
        return FileOutput(loop, await opened(loop, output), owned=True)
    if isinstance(output, asyncio.StreamWriter):
        return FunctionOutput(partial(send, output))
    write: Any = getattr(output, "write", output)
    if isinstance(output, io.BytesIO) or write is output or inspect.iscoroutinefunction(write):
        return FunctionOutput(write)
    return FileOutput(loop, output, owned=False)


def is_path(output: object) -> bool:
    """Whether this is the path of a file."""
    return isinstance(output, (str, bytes, os.PathLike))


def check_output(output: object) -> None:
    """TypeError unless data can be written to `output`."""
    if not is_path(output) and not callable(output) and not hasattr(output, "write"):
        raise TypeError(
            f"output: expected a path, a binary file or a function that takes bytes, "
            f"got {type(output).__name__}"
        )


async def opened(loop: asyncio.AbstractEventLoop, path: Any) -> Any:
    """The file at `path`, opened by a thread."""
    opening: asyncio.Future[Any] = loop.run_in_executor(None, open, path, "wb")
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(partial(close_late, loop))
        raise


def close_late(loop: asyncio.AbstractEventLoop, opening: "asyncio.Future[Any]") -> None:
    """Close what was opened when nobody waited for it any more."""
    if not opening.cancelled() and opening.exception() is None:
        retrieved(loop.run_in_executor(None, opening.result().close))


def retrieved(done: "asyncio.Future[Any]") -> None:
    """Nobody is there to be told what comes of it."""
    done.add_done_callback(lambda done: done.cancelled() or done.exception())


class FunctionOutput:
    """Gives each block to a function, and awaits what that returns if it can be awaited."""

    def __init__(self, function: Callable[[bytes], object]) -> None:
        self._function = function

    async def write(self, data: bytes) -> None:
        result = self._function(data)
        if inspect.isawaitable(result):
            await result

    async def close(self) -> None:
        """Nothing is to be done."""

    def leave(self) -> None:
        """Nothing is to be done."""


class FileOutput:
    """Writes to a file by a thread; one that is `owned` is closed at the end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, file: Any, owned: bool) -> None:
        self._loop = loop
        self._file = file
        self._owned = owned
        self._writing: asyncio.Future[None] | None = None

    async def write(self, data: bytes) -> None:
        self._writing = self._loop.run_in_executor(None, write_all, self._file, data)
        # Who is cancelled does not wait for a disk, and no thread can be stopped.
        await asyncio.shield(self._writing)

    async def close(self) -> None:
        if self._owned:
            # Here a full disk is noticed at the latest.
            await asyncio.shield(self._loop.run_in_executor(None, self._file.close))

    def leave(self) -> None:
        writing = self._writing
        if writing is not None and not writing.done():
            retrieved(writing)
            if self._owned:
                writing.add_done_callback(lambda _: self._close_unseen())
        elif self._owned:
            self._close_unseen()

    def _close_unseen(self) -> None:
        if not self._loop.is_closed():
            retrieved(self._loop.run_in_executor(None, self._file.close))


def write_all(file: Any, data: bytes) -> None:
    """Write all of `data`, of which a raw file may take only a part at a time."""
    while True:
        written = file.write(data)
        if written is None and isinstance(file, io.RawIOBase):
            raise BlockingIOError(f"{file!r} takes no more, for it is in non-blocking mode")
        if not isinstance(written, int) or written >= len(data):
            return  # what is no raw file takes all, and need not tell
        if written <= 0:
            raise OSError(f"{file!r} takes no more")
        data = data[written:]


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write to a stream of asyncio, which is no file: no thread may touch it."""
    writer.write(data)
    await writer.drain()
