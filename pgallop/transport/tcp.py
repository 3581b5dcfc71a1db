"""What a TCP socket is told before it connects: no delays, and when to give up a silent peer."""

import errno
import socket

from pgallop.config.tcp import TcpOptions

# Where a system has the option's name and not the option (gVisor, WSL 1): its own default holds.
NOT_THERE = (errno.ENOPROTOOPT, errno.EOPNOTSUPP)


def set_tcp_options(sock: socket.socket, options: TcpOptions) -> None:
    """Set `options` on a TCP socket, as far as the operating system has them; 0 sets nothing.

    Raises OSError where the system has an option and refuses its value.

    Source: PostgreSQL's libpq, which sets them before it connects too; tcp(7).
    """
    # Small messages must not wait for the acknowledgement of earlier ones.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if options.keepalives:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # macOS calls the time before the first probe TCP_KEEPALIVE.
        set_number(sock, ("TCP_KEEPIDLE", "TCP_KEEPALIVE"), options.keepalives_idle)
        set_number(sock, ("TCP_KEEPINTVL",), options.keepalives_interval)
        set_number(sock, ("TCP_KEEPCNT",), options.keepalives_count)
    set_number(sock, ("TCP_USER_TIMEOUT",), options.tcp_user_timeout)


def set_number(sock: socket.socket, names: tuple[str, ...], value: int) -> None:
    """Set the first of the options `names` that Python knows on this system."""
    known = [name for name in names if hasattr(socket, name)]
    if not known or value == 0:
        return
    option: int = getattr(socket, known[0])
    try:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    except OSError as error:
        if error.errno not in NOT_THERE:
            raise
