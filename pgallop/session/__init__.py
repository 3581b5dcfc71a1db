"""The conversation with one server, without I/O: requests in, bytes out; bytes in, results out."""
