"""Sockets and event loops: from here on asyncio is known."""
