"""A non-blocking socket's system calls; compiled modules call the C functions of `syscalls.h`."""

import select
import socket

RECEIVE_SIZE = 131072


def receive(sock: socket.socket, fd: int) -> bytes | None:
    """Bytes received, b"" at the end of the stream, None when there is nothing to read yet."""
    try:
        return sock.recv(RECEIVE_SIZE)
    except (BlockingIOError, InterruptedError):
        return None


def send(sock: socket.socket, fd: int, data: bytes, start: int) -> int:
    """How many bytes of `data[start:]` the kernel took, 0 when it takes none now."""
    try:
        return sock.send(memoryview(data)[start:] if start else data)
    except (BlockingIOError, InterruptedError):
        return 0


def has_failed(sock: socket.socket, fd: int) -> bool:
    """Whether the connection was reset, or has failed otherwise; what came before may be unread."""
    if not hasattr(select, "poll"):
        return True  # Windows: reading tells
    poller = select.poll()
    poller.register(fd, 0)
    return bool(poller.poll(0))
