"""`Knowledge`: what connections have learnt about statements, and share.

A text that one connection had described, another one can run in a single round trip. That is a
presumption: the schema may have changed since. So Parse carries the types that the arguments are
encoded with, the result is described again when it comes, and what was wrong is forgotten.
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence

from pgallop.codecs._oids import OIDS
from pgallop.codecs.introspection import Types
from pgallop.codecs.registry import Registry
from pgallop.session.request import Request
from pgallop.session.session import is_open
from pgallop.session.statement import Description
from pgallop.sql import changes
from pgallop.statement_cache import StatementCache
from pgallop.traceless import Traceless

# Seconds after which a text is described again.
LIFETIME = 300.0

# How many descriptions are kept, the least recently used leaving first.
MAX_DESCRIPTIONS = 1000


class Knowledge:
    """What several connections have learnt about statements, for all of them.

    Connections that are given the same one (`connect(knowledge=...)`) run a statement that any of
    them has run before in one round trip. They may belong to different servers, databases and
    users: what they learn is kept apart. Use it from one event loop.

    Args:
        lifetime: seconds that a statement's description is believed.
        max_descriptions: how many are kept; the least recently used leave first.

    Example:
        >>> knowledge = pgallop.Knowledge()
        >>> conns = [await pgallop.connect(knowledge=knowledge) for _ in range(10)]
    """

    def __init__(
        self, lifetime: float = LIFETIME, max_descriptions: int = MAX_DESCRIPTIONS
    ) -> None:
        self._lifetime = lifetime
        self._max_descriptions = max_descriptions
        self._descriptions: OrderedDict[Hashable, tuple[Description, float]] = OrderedDict()
        #: How often everything was forgotten: what was asked before that must not be kept.
        self.generation = 0
        self._types: dict[Hashable, Types] = {}
        #: The servers on which a statement has failed because its types were not known.
        self.unguessable: set[Hashable] = set()
        self._traceless: dict[Hashable, Traceless] = {}

    def types_of(self, database: Hashable) -> Types:
        """What is known of the types of a database."""
        return self._types.setdefault(database, Types())

    def traceless_of(self, server: Hashable) -> Traceless:
        """Which statements leave nothing in a session there."""
        return self._traceless.setdefault(server, Traceless())

    def get(self, key: Hashable, now: float) -> Description | None:
        """The description under `key`, if it is not older than `lifetime`."""
        found = self._descriptions.get(key)
        if found is None:
            return None
        description, expires = found
        if now >= expires:
            del self._descriptions[key]
            return None
        self._descriptions.move_to_end(key)
        return description

    def put(self, key: Hashable, description: Description, now: float) -> None:
        """Keep `description`, which the server gave just now."""
        self._descriptions[key] = description, now + self._lifetime
        self._descriptions.move_to_end(key)
        if len(self._descriptions) > self._max_descriptions:
            self._descriptions.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """The description under `key` has proved wrong."""
        self._descriptions.pop(key, None)

    def forget_all(self) -> None:
        """The schema has changed."""
        self._descriptions.clear()
        for traceless in self._traceless.values():
            traceless.forget_all()
        self.generation += 1

    def __len__(self) -> int:
        return len(self._descriptions)

    def __repr__(self) -> str:
        return f"<pgallop.Knowledge of {len(self)} statements>"


class Scope:
    """One connection's part of the knowledge: what is known of texts as it understands them.

    `server`: what tells servers, databases and users apart. `parameters`: what the server reports
    of its settings. While the connection has changed the schema in a transaction, nobody else sees
    that: it neither takes nor gives anything then. `database`: what tells databases apart, whose
    types are the same for all. `types`: what is known of them, `shared_types` but for while it has
    changed types in a transaction. `traceless`: what is known of what statements leave behind.
    `own`: None while it resolves names as it did when it began. `money_digits`: how many digits an
    amount of money had after the point then, if that was asked.
    """

    __slots__ = (
        "_lasting",
        "_may_return",
        "_parameters",
        "_server",
        "knowledge",
        "money_digits",
        "own",
        "shared_types",
        "traceless",
        "types",
        "unsettled",
    )

    def __init__(
        self,
        knowledge: Knowledge,
        server: Hashable,
        parameters: Mapping[str, str],
        database: Hashable = None,
    ) -> None:
        self.knowledge = knowledge
        self.shared_types = self.types = knowledge.types_of(database)
        self.traceless = knowledge.traceless_of(server)
        self.money_digits: int | None = None
        self.unsettled = False
        self._server = server
        self._parameters = parameters
        self.own: object = None
        # Whether that is so by something that RESET ALL does not take back.
        self._lasting = False
        self._may_return = False

    def _key(self, query: str) -> Hashable:
        # PostgreSQL reports search_path since version 18.
        resolution = self._parameters.get("search_path")
        role = self._parameters.get("session_authorization")
        return self._server, resolution, role, self.own, query

    def get(self, query: str, now: float) -> Description | None:
        """What is known of `query`."""
        return None if self.unsettled else self.knowledge.get(self._key(query), now)

    def put(self, query: str, description: Description, generation: int, now: float) -> None:
        """Keep what the server told of `query`, asked in that generation of the knowledge."""
        if not self.unsettled and generation == self.knowledge.generation:
            self.knowledge.put(self._key(query), description, now)

    def forget(self, query: str) -> None:
        """What was known of `query` has proved wrong."""
        self.knowledge.forget(self._key(query))

    def is_traceless(self, query: str, now: float) -> bool:
        """Whether `query` is proven to leave nothing in the session; asked when it is sent."""
        return self.own is None and self.traceless.is_proven(query, now)

    def may_guess(self) -> bool:
        """Whether a statement of which nothing is known may run with its results in binary."""
        return self._server not in self.knowledge.unguessable

    def stop_guessing(self) -> None:
        """The database has types that have no binary form."""
        self.knowledge.unguessable.add(self._server)

    def has_left(self) -> bool:
        """Whether the session understands texts otherwise than when it began, for all we know."""
        return self.own is not None

    def leave(self) -> None:
        """The session resolves names in its own way from now on, which is not known to others."""
        self.own = object()

    def rejoin(self) -> None:
        """The session is as it was when it began: search_path and role, no temporary tables."""
        self.own = None
        self._lasting = False

    def settings_reset(self) -> bool:
        """RESET ALL has run; whether the session is as it was when it began, for all we know."""
        if not self._lasting:
            self.rejoin()
        return not self._lasting

    def on_answered(self, query: str, tags: Sequence[str], in_transaction: bool) -> bool:
        """See what a notable statement has changed; `in_transaction`: it is not over.

        Returned is whether texts, names and amounts may mean something else now.
        """
        changed = any(changes.changes_resolution(tag, query) for tag in tags)
        # SET LOCAL is over, or SET was undone.
        changed |= self._may_return and (not in_transaction or "ROLLBACK" in tags)
        if changed:
            self.leave()
            self._lasting |= changes.outlasts_settings(query)
            self._may_return = in_transaction
        self.unsettled |= any(changes.changes_schema(tag, query) for tag in tags)
        if any(map(changes.changes_types, tags)):
            self.types = Types()
        if self.unsettled and not in_transaction:
            self.unsettled = False
            self.knowledge.forget_all()
        if self.types is not self.shared_types and not in_transaction:
            self.types = self.shared_types
            self.types.forget_all()
        return changed


def on_tags(scope: Scope, statements: StatementCache, registry: Registry, request: Request) -> None:
    """A statement has ended that may have changed what others were prepared under."""
    tags = request.tags or []
    for tag in tags:
        if changes.forgets_statements(tag):
            statements.clear(forgotten=True)
            statements.has_others = False
        elif tag == "PREPARE":
            statements.has_others = True
        elif changes.changes_what_exists(tag):
            statements.clear(forgotten=False)
    statements.forget_naming(changes.created(request.text()))
    if scope.on_answered(request.text(), tags, is_open(request.status)):
        unresolve(statements, registry)


def unresolve(statements: StatementCache, registry: Registry) -> None:
    """The session may have another `lc_monetary`."""
    if registry.registered(OIDS["money"]) is None:
        return
    from pgallop.codecs import money

    if money.unresolve(registry):
        statements.clear(forgotten=False)
