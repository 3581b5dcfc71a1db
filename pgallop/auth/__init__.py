"""Authentication as pure conversation: bytes in, bytes out, no socket and no event loop.

`password` answers md5 requests, `sasl` chooses a mechanism, `scram` speaks SCRAM-SHA-256, `gss`
Kerberos.
The methods are those of PostgreSQL's documentation, chapters "Message Flow" and
"SASL Authentication".
"""
