"""Connection strings: `postgresql://` URIs and libpq's `key=value` pairs.

libpq's own parser (fe-connect.c: conninfo_uri_parse, conninfo_parse) decides what a string means.
We differ from it in four places:

- a URI parameter may contain further `=` signs (asyncpg takes them too), so `?options=-cgeqo=off`
  needs no `%3D`;
- `database` is another name for `dbname`, and the scheme may be in upper case;
- an `@` left over in a host, or a `?` before the `@` of the credentials, is an error: libpq would
  read a piece of a badly encoded password as a host or user name and send it away;
- escaped bytes that are not UTF-8 are an error, as strings here are text.

No message quotes the text of the string, because any part of it can be a piece of a password that
was not encoded. Messages count characters instead. The name of an unknown parameter is quoted only
where it cannot be such a piece.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from pgallop.config.parameters import PARAMETERS, nearest_parameter
from pgallop.config.sources import Given
from pgallop.errors import ClientConfigurationError

__all__ = ["parse_dsn"]

_SCHEME: Final = re.compile(r"postgres(?:ql)?://", re.IGNORECASE)
_OTHER_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST: Final = re.compile(r"(?:\[([^\]]+)\](?=[:/?,]|\Z)|([^:/?,]*))(?::([^/?,]*))?")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")

# The bytes for which isspace() is true in the C locale. str.isspace() knows more, libpq does not.
_SPACE: Final = r" \t\n\v\f\r"
_SPACES: Final = re.compile(f"[{_SPACE}]*")
_KEYWORD: Final = re.compile(f"([^={_SPACE}]*)[{_SPACE}]*(=?)[{_SPACE}]*")
# A backslash that ends the string escapes nothing and is dropped.
_PLAIN: Final = re.compile(rf"((?:\\.|[^\\{_SPACE}])*)\\?", re.DOTALL)
_QUOTED: Final = re.compile(r"'((?:\\.|[^\\'])*)'", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

_NAME: Final = re.compile(r"[a-z_][a-z0-9_.]{,62}", re.IGNORECASE | re.ASCII)
_FORMS: Final = "postgresql://user:password@host:port/database or key=value pairs"


def parse_dsn(dsn: str, *, others: bool = False) -> dict[str, str]:
    """Split a connection string into libpq's parameters.

    Nothing is looked up or checked beyond the syntax and the names: ports are still text, several
    hosts and ports are still comma lists, and an empty part of a list is still empty.

    Args:
        dsn: a URI (`postgresql://` or `postgres://`) or `key=value` pairs.
        others: take parameters that libpq does not have, too.

    Returns:
        The parameters by libpq's name (`host`, `port`, `user`, `password`, `dbname`, ...). Where a
        parameter is given twice the last one counts.

    Raises:
        ClientConfigurationError: the string is malformed or has an unknown parameter. The message
            never contains the password.

    Example:
        >>> parse_dsn("postgresql://ada@[::1]:5433/shop?sslmode=require")
        {'user': 'ada', 'host': '::1', 'port': '5433', 'dbname': 'shop', 'sslmode': 'require'}
        >>> parse_dsn("host=/tmp user=ada password='two words'")
        {'host': '/tmp', 'user': 'ada', 'password': 'two words'}

    Source: PostgreSQL documentation, libpq, "Connection Strings".
    """
    dsn = Given("dsn", dsn, private=True).text()
    if scheme := _SCHEME.match(dsn):
        return _parse_uri(dsn, scheme.end(), others)
    if _OTHER_SCHEME.match(dsn):
        raise _malformed(0, "the scheme has to be postgresql:// or postgres://, with no +driver")
    return _parse_pairs(dsn, others)


def _malformed(position: int, problem: str) -> ClientConfigurationError:
    return ClientConfigurationError(f"invalid DSN, at character {position + 1}: {problem}")


def _parse_uri(dsn: str, start: int, others: bool) -> dict[str, str]:
    result: dict[str, str] = {}
    slash = dsn.find("/", start)
    at = dsn.find("@", start, slash if slash >= 0 else len(dsn))
    if at >= 0:
        _parse_credentials(dsn, start, at, result)
        start = at + 1
    position = _parse_hosts(dsn, start, result)
    if dsn.startswith("/", position):
        end = dsn.find("?", position)
        end = end if end >= 0 else len(dsn)
        if dbname := dsn[position + 1 : end]:
            result["dbname"] = _decode(dbname, position + 1)
        position = end
    return result | _parse_query(dsn, position + 1, others)


def _parse_credentials(dsn: str, start: int, at: int, result: dict[str, str]) -> None:
    if (mark := dsn.find("?", start, at)) >= 0:
        raise _malformed(
            mark,
            'a "?" before the "@" has two readings; in a user name or password write %3F for "?", '
            'in a parameter write %40 for "@"',
        )
    user, _, password = dsn[start:at].partition(":")
    if user:
        result["user"] = _decode(user, start)
    if password:
        result["password"] = _decode(password, at - len(password))


def _parse_hosts(dsn: str, start: int, result: dict[str, str]) -> int:
    """Read `host:port,host:port`; return the position behind it."""
    hosts: list[str] = []
    ports: list[str] = []
    position = start
    while True:
        match = _HOST.match(dsn, position)
        assert match is not None  # every part of the pattern may be empty
        bracketed, name, port = match.groups()
        if bracketed is None and name.startswith("["):
            raise _malformed(position, "an IPv6 address is written [address] or [address]:port")
        if "@" in match[0]:
            raise _malformed(
                position + match[0].index("@"),
                'a host has no "@"; in a user name or password write %40 for it',
            )
        hosts.append(bracketed or name)
        ports.append(port or "")
        position = match.end()
        if not dsn.startswith(",", position):
            break
        position += 1
    if host := ",".join(hosts):
        result["host"] = _decode(host, start)
    if port := ",".join(ports):
        result["port"] = _decode(port, start)
    return position


def _parse_query(dsn: str, start: int, others: bool) -> dict[str, str]:
    result: dict[str, str] = {}
    position = start
    while position < len(dsn):
        end = dsn.find("&", position)
        end = end if end >= 0 else len(dsn)
        raw_keyword, separator, raw_value = dsn[position:end].partition("=")
        if not separator:
            raise _malformed(
                position, 'a parameter is written key=value (in a value write %26 for "&")'
            )
        keyword = _decode(raw_keyword, position)
        value = _decode(raw_value, end - len(raw_value))
        if (keyword, value) == ("ssl", "true"):  # as JDBC spells it; libpq takes it too
            keyword, value = "sslmode", "require"
        result[_known(keyword, dsn, position, result, others)] = value
        position = end + 1
    return result


def _parse_pairs(dsn: str, others: bool) -> dict[str, str]:
    result: dict[str, str] = {}
    position = _skip_space(dsn, 0)
    while position < len(dsn):
        keyword = _KEYWORD.match(dsn, position)
        assert keyword is not None  # every part of the pattern may be empty
        if not keyword[2]:
            raise _malformed(
                position,
                f'there is no "=" behind this word; expected {_FORMS} (a value with spaces goes '
                "between single quotes)",
            )
        quoted = dsn.startswith("'", keyword.end())
        value = (_QUOTED if quoted else _PLAIN).match(dsn, keyword.end())
        if value is None:
            raise _malformed(keyword.end(), "this quoted value has no closing single quote")
        name = _known(keyword[1], dsn, position, result, others)
        result[name] = _ESCAPED.sub(r"\1", value[1])
        position = _skip_space(dsn, value.end())
    return result


def _skip_space(dsn: str, position: int) -> int:
    match = _SPACES.match(dsn, position)
    return match.end() if match else position


def _decode(part: str, position: int) -> str:
    """Resolve the percent-encoding of one part of a URI, which starts at `position`."""
    if "%" not in part and " " not in part:
        return part
    # libpq drops spaces around a part and refuses spaces inside one.
    text = part.strip(" ")
    position += len(part) - len(part.lstrip(" "))
    if (space := text.find(" ")) >= 0:
        raise _malformed(position + space, "write %20 for a space")
    if bad := _BAD_ESCAPE.search(text):
        raise _malformed(
            position + bad.start(), 'expected two hexadecimal digits behind "%" (write %25 for "%")'
        )
    if (nul := text.find("%00")) >= 0:
        raise _malformed(position + nul, "%00 is a NUL, which cannot be sent to the server")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        problem = _malformed(position, "the percent-encoded bytes are not UTF-8")
    # Raised out here: an exception raised above would hold the bytes, a password perhaps, as its
    # context.
    raise problem


def _known(keyword: str, dsn: str, position: int, earlier: Iterable[str], others: bool) -> str:
    """Return the parameter's name, or raise the error for one that libpq does not have."""
    if keyword == "database":
        return "dbname"
    if keyword in PARAMETERS or (others and _NAME.fullmatch(keyword)):
        return keyword
    # What follows a secret parameter, or stands before an "@", can be a piece of a secret that
    # was not encoded: such a word is not shown.
    secrets = {name for name, parameter in PARAMETERS.items() if parameter.secret}
    hidden = "@" in dsn[position:] or not secrets.isdisjoint(earlier)
    named = not hidden and _NAME.fullmatch(keyword) is not None
    shown = f' "{keyword}"' if named else ""
    setting = keyword if named else "name"
    advice = nearest_parameter(keyword)
    raise _malformed(
        position,
        f"unknown connection parameter{shown}{advice}; "
        f'a setting of the server goes into server_settings={{"{setting}": ...}} or '
        f"options=-c{setting}=...",
    )
