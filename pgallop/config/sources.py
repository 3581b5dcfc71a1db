"""Where a parameter's value comes from, and how a message speaks of it."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, cast

from pgallop.config.parameters import KEYWORDS, PARAMETERS
from pgallop.errors import ClientConfigurationError

__all__ = ["Given", "Sources", "either"]

# Strings end at a NUL on the wire, and a lone surrogate has no UTF-8.
_UNSENDABLE: Final = re.compile("[\0\ud800-\udfff]")
_SHOWN_CHARACTERS: Final = 60


class Given(NamedTuple):
    """A value, together with the name of the place where the user wrote it.

    Args:
        origin: the argument, the DSN's parameter or the environment variable.
        value: what was found there.
        private: the value is shown in no message, because it is a password or, in a DSN, may be a
            piece of one that was not encoded.
    """

    origin: str
    value: object
    private: bool = False

    def part(self, value: object) -> "Given":
        """Return one element of a list as found at the same place."""
        return Given(self.origin, value, self.private)

    def bad(self, expected: str) -> ClientConfigurationError:
        """Return the error that says what was expected here, and what was found if it may."""
        return ClientConfigurationError(f"{self.origin}: expected {expected}{self._found()}")

    @property
    def is_empty(self) -> bool:
        """Whether the value is the empty string."""
        return isinstance(self.value, str) and not self.value

    @property
    def is_given(self) -> bool:
        """Whether there is a value, and not an empty one."""
        return self.value is not None and not self.is_empty

    def text(self) -> str:
        """Return the value as a string that can be sent to a server.

        Raises:
            ClientConfigurationError: it is no string, or has a NUL or a lone surrogate in it.
        """
        if not isinstance(self.value, str):
            raise self.bad("a str")
        if _UNSENDABLE.search(self.value):
            raise self.bad("a string without NUL characters and lone surrogates")
        return str.__str__(self.value)  # a StrEnum's member and the like are no exact str

    def path(self) -> str:
        """Return the value, a string or a path, as the name of a file.

        Raises:
            ClientConfigurationError: it is neither, or has a NUL in it.
        """
        path = self.value
        if isinstance(path, os.PathLike):
            path = os.fspath(cast("os.PathLike[str]", path))
        if not isinstance(path, str):
            raise self.bad("the name of a file: a str or a Path")
        return self.part(path).text()

    def _found(self) -> str:
        value = self.value
        if isinstance(value, str):
            if self.private:
                return ""
            dots = "..." if len(value) > _SHOWN_CHARACTERS else ""
            return f", got {value[:_SHOWN_CHARACTERS]!r}{dots}"
        # repr() of a huge int raises ValueError, that of an unknown object can do or say anything.
        small = isinstance(value, int) and value.bit_length() <= 64
        if not self.private and (value is None or isinstance(value, float) or small):
            return f", got {value!r}"
        return f", got an object of type {type(value).__name__}"


def either(choices: Sequence[str]) -> str:
    """Return the choices as a message lists them."""
    *others, last = [f'"{choice}"' for choice in choices]
    return f"{', '.join(others)} or {last}" if others else last


class Sources:
    """The DSN's parameters, the service's and the environment, asked in that order.

    An empty value counts as not given, in all of them: templates such as
    `postgresql://$PGUSER:$SECRET@db/app` and `PGHOST= program` leave such behind.

    Args:
        dsn: the parameters of the DSN by libpq's name.
        environ: the environment, for instance `os.environ`.
    """

    __slots__ = ("_dsn", "_service", "_service_place", "_variables", "keywords")

    def __init__(self, dsn: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self._dsn = dsn
        # A look into `os.environ` takes longer than all else that is asked of a parameter.
        self._variables = {name: environ[name] for name in environ if name.startswith("PG")}
        self._service: Mapping[str, str] = {}
        self._service_place = ""
        #: The parameters that one of them has, if only an empty value.
        self.keywords = {KEYWORDS[name] for name in self._variables if name in KEYWORDS}
        self.keywords.update(dsn)

    def add_service(self, parameters: Mapping[str, str], place: str) -> None:
        """Ask a service, too; `place`: the file, and the service's name in it, for messages."""
        self._service = parameters
        self._service_place = place
        self.keywords.update(parameters)

    def each(self, keyword: str, argument: Given | None = None) -> Iterator[Given]:
        """Yield what was given for a parameter, the strongest first."""
        if argument is not None and argument.is_given:
            yield argument
        if value := self._dsn.get(keyword):
            yield Given(f"{keyword} in the DSN", value, private=True)
        parameter = PARAMETERS[keyword]
        if value := self._service.get(keyword):
            yield Given(f"{keyword} in {self._service_place}", value, private=True)
        if parameter.variable and (given := self.variable(parameter.variable)):
            yield Given(given.origin, given.value, parameter.secret)

    def find(self, keyword: str, argument: Given | None = None) -> Given | None:
        """Return the strongest of `each`, or None."""
        if argument is not None and argument.is_given:
            return argument
        return next(self.each(keyword), None) if keyword in self.keywords else None

    def variable(self, name: str) -> Given | None:
        """Return an environment variable, or None if it is unset or empty."""
        value = self._variables.get(name)
        return Given(f"environment variable {name}", value) if value else None
