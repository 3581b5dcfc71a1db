"""Bytes to messages and back: the frontend/backend protocol, version 3, without any I/O."""
