"""What a server can do: `Capabilities`, found out from what it reports when a session begins.

Many products speak PostgreSQL's protocol and are none, or an old one. They are told apart by the
settings that they report (ParameterStatus), so that knowing costs no round trip, and by what those
say about an ability rather than by the product's name, as far as that goes:

- The version. A command that came with 8.3 is not known to 8.0.2, which is what Redshift says it
  is, nor to PgBouncer's console ("1.18.0/bouncer"), nor to what reports no version at all.
- A version of its own besides. CockroachDB reports `crdb_version` and CrateDB `crate_version`, and
  PostgreSQL's server_version is one that programs expect to see. asyncpg knows them by the same
  settings, and has sent neither of them a reset query for years.
- What is added to the version. YugabyteDB ("15.12-YB-2025.1.0.0-b137") is PostgreSQL's own code on
  another storage, which changes what a transaction is and what locks are.

All others (Aurora, RDS, AlloyDB, EDB, Greenplum and whatever stands behind pgpool-II, PgBouncer or
RDS Proxy) report PostgreSQL's version, and are taken for it. docs/servers.md has the whole table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pgallop.types import parse_server_version

# "CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27 01:53:43, go1.19.10)"
COCKROACH_VERSION = re.compile(r"\bv(\d{1,9})\.(\d{1,9})")

# From this release on it resets settings and roles. Every release before it is out of support.
COCKROACH_RESETS = (22, 2)

# YugabyteDB refuses the functions of advisory locks (0A000) where it does not have them, which
# would undo the whole reset. Where this setting is missing, so are they. The function is not called
# when the condition is false.
UNLOCK = "SELECT pg_catalog.pg_advisory_unlock_all()"
UNLOCK_IF_ENABLED = (
    "SELECT pg_catalog.pg_advisory_unlock_all()"
    " WHERE pg_catalog.current_setting('yb_enable_advisory_locks', true) = 'on'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a server can do beyond running statements.

    Args:
        roles: SET ROLE and SET SESSION AUTHORIZATION, and their way back.
        settings: RESET ALL.
        advisory_locks: the statement that releases those of the session, "" if there are none.
        cursors: CLOSE ALL.
        notifications: LISTEN, NOTIFY, UNLISTEN.
        temporary_tables: DISCARD TEMP.
        sequences: DISCARD SEQUENCES.
        atomic: an error undoes all that its transaction has done, whatever that was.

    Example:
        >>> capabilities({"server_version": "18.0"}).notifications
        True

    Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Start-up".
    """

    roles: bool = False
    settings: bool = False
    advisory_locks: str = ""
    cursors: bool = False
    notifications: bool = False
    temporary_tables: bool = False
    sequences: bool = False
    atomic: bool = False

    @property
    def reset_query(self) -> str:
        """One script that makes a session as good as new, outside of a transaction; "" if none can.

        What it leaves: prepared statements, which the cache goes on using, loaded libraries with
        what they keep (connections of dblink, global variables of PL/Perl and PL/Python), what
        setseed() has sown. Values that a sequence with CACHE has in store for the session are lost.

        All of it is one transaction (an error in any part of it would undo all), so it has only
        what the server knows. First of all it is the session's own user again with its own
        settings: the rest shall not depend on a role's rights, a search_path or a timeout. RESET
        ROLE comes second because it may be more than none (ALTER ROLE ... SET role).
        """
        statements = (
            (self.roles, "SET SESSION AUTHORIZATION DEFAULT"),
            (self.roles, "RESET ROLE"),
            (self.settings, "RESET ALL"),
            (self.advisory_locks, self.advisory_locks),
            (self.cursors, "CLOSE ALL"),
            (self.notifications, "UNLISTEN *"),
            (self.temporary_tables, "DISCARD TEMP"),
            (self.sequences, "DISCARD SEQUENCES"),
        )
        return "; ".join([statement for known, statement in statements if known])

    @property
    def settings_reset_query(self) -> str:
        """The script that asyncpg runs: who is the session's user, and what it has made, stays.

        Temporary tables, that is, and what sequences have told.
        """
        statements = (
            (self.advisory_locks, self.advisory_locks),
            (self.cursors, "CLOSE ALL"),
            (self.notifications, "UNLISTEN *"),
            (self.settings, "RESET ALL"),
        )
        return "; ".join([statement for known, statement in statements if known])


def capabilities(reported: Mapping[str, str]) -> Capabilities:
    """What the server can do that has reported these settings.

    Args:
        reported: what ParameterStatus has said, by its names; any of it may be missing.

    Example:
        >>> capabilities({"server_version": "8.0.2"}).reset_query
        'RESET ALL'
    """
    if "crate_version" in reported:
        return Capabilities()  # no transactions, no roles to change to; RESET ALL is a syntax error
    if "crdb_version" in reported:
        found = COCKROACH_VERSION.search(reported["crdb_version"])
        resets = found is not None and (int(found[1]), int(found[2])) >= COCKROACH_RESETS
        return Capabilities(roles=resets, settings=resets)
    text = reported.get("server_version", "")
    version = parse_server_version(text)
    yugabyte = "-YB-" in text
    # PostgreSQL's release notes tell since when. SET SESSION AUTHORIZATION is older than SET ROLE
    # (8.1), but Redshift's manual lets superusers alone say it, in whatever words. UNLISTEN is
    # older than 9.0, but only since then it is about what add_listener() hears.
    unlock = UNLOCK_IF_ENABLED if yugabyte else UNLOCK
    return Capabilities(
        roles=version >= (8, 1),
        settings=version >= (7, 2),
        advisory_locks=unlock if version >= (8, 2) else "",
        cursors=version >= (8, 3),
        notifications=version >= (9, 0),
        temporary_tables=version >= (8, 3),
        sequences=version >= (9, 4),
        # In YugabyteDB statements that define something commit on their own, in CockroachDB a part
        # of them fails behind the commit (XXA00). In Redshift TRUNCATE commits.
        atomic=version >= (8, 1) and not yugabyte,
    )
