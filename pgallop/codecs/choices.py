"""What a connection chooses about the values of types: `CodecChoices`."""

from collections.abc import Callable
from typing import Any, NamedTuple

# What to do about a value that Python does not have: raise ValueError, take the nearest value that
# Python has, or the server's text form.
RAISE = "raise"
CLAMP = "clamp"
TEXT = "text"
POLICIES = (RAISE, CLAMP, TEXT)

# The types that have such values.
LIMITED = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")

# What dense vectors and geometries can be read as.
LIST, NUMPY = VECTORS = ("list", "numpy")
BYTES, SHAPELY = GEOMETRY = ("bytes", "shapely")


class JsonFunctions(NamedTuple):
    """`dumps(object)` returns str or bytes, `loads(text)` an object.

    `takes_bytes`: `loads` is given bytes, and a str otherwise.
    """

    dumps: Callable[[Any], str | bytes]
    loads: Callable[[Any], Any]
    takes_bytes: bool = False


class CodecChoices(NamedTuple):
    """How types are read and written where there is more than one way.

    `out_of_range`: pairs of a type's name, one of LIMITED, and one of POLICIES; RAISE for all that
    are not named. `json`: what makes and reads the text of json and jsonb, the standard library if
    None. `max_is_infinity`: as in asyncpg, Python's last and first date or datetime stand for
    infinity. `vectors`: one of VECTORS, `geometry`: one of GEOMETRY.

    These have what the server sends instead of what it says, as in asyncpg: `json_as_text`: json
    and jsonb are str; `char_as_bytes`: "char" is bytes; `money_as_text`: money is str; without
    `extensions`, types of extensions are str, as all types that nothing is known of.
    """

    out_of_range: tuple[tuple[str, str], ...] = ()
    json: JsonFunctions | None = None
    max_is_infinity: bool = False
    vectors: str = LIST
    geometry: str = BYTES
    json_as_text: bool = False
    char_as_bytes: bool = False
    money_as_text: bool = False
    extensions: bool = True

    def policy(self, name: str) -> str:
        """What to do about values of the type `name` that Python does not have."""
        return dict(self.out_of_range).get(name, RAISE)


DEFAULT = CodecChoices()
