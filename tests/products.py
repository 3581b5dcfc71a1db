"""The products that docs/servers.md tells of: what each reports, and what it does not know.

What they report is from their own documentation and from what their users show of it; the patterns
are of the statements for a reset that each of them does not know, or refuses.
"""

from __future__ import annotations

from almost_server import Product

# What PostgreSQL reports since version 14, but for its version.
SETTINGS = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "default_transaction_read_only": "off",
    "in_hot_standby": "off",
    "integer_datetimes": "on",
    "IntervalStyle": "postgres",
    "is_superuser": "off",
    "server_encoding": "UTF8",
    "session_authorization": "ada",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
}

ADVISORY_LOCKS = r"SELECT pg_catalog\.pg_advisory_unlock_all\(\)(?! WHERE)"


def postgres(version: str) -> dict[str, str]:
    return {"server_version": version, **SETTINGS}


PRODUCTS = {
    "PostgreSQL": Product(postgres("18.0")),
    "Amazon Aurora, RDS": Product(postgres("15.4")),
    "Google AlloyDB": Product(postgres("16.3")),
    "EDB Postgres Advanced Server": Product(postgres("15.2.0")),
    "Greenplum": Product(postgres("12.12"), refuses="DISCARD ALL"),
    "YugabyteDB": Product(postgres("15.12-YB-2025.1.0.0-b137"), refuses=ADVISORY_LOCKS),
    "CockroachDB": Product(
        {
            "server_version": "13.0.0",
            "crdb_version": "CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27)",
            **SETTINGS,
        },
        refuses=f"UNLISTEN|{ADVISORY_LOCKS}",
    ),
    "CockroachDB before 22.2": Product(
        {"server_version": "9.5.0", "crdb_version": "CockroachDB CCL v20.1.0 (x86_64)", **SETTINGS},
        refuses=f"UNLISTEN|RESET|CLOSE|DISCARD|{ADVISORY_LOCKS}",
    ),
    "Amazon Redshift": Product(
        {
            "server_version": "8.0.2",
            "client_encoding": "UNICODE",
            "DateStyle": "ISO, MDY",
            "integer_datetimes": "on",
            "is_superuser": "off",
            "padb_revision": "4e1a9c5",
            "session_authorization": "ada",
        },
        refuses=f"UNLISTEN|CLOSE ALL|DISCARD|SET SESSION|SET ROLE|RESET ROLE|{ADVISORY_LOCKS}",
        tags={"SELECT 1": "SELECT"},
    ),
    "CrateDB": Product(
        {"server_version": "14.0", "crate_version": "5.10.0", **SETTINGS},
        refuses=f"UNLISTEN|CLOSE|RESET|DISCARD|SET SESSION|SET ROLE|{ADVISORY_LOCKS}",
    ),
    "pgpool-II": Product(postgres("15.4")),
    "PgBouncer": Product(postgres("15.4")),
    "PgBouncer's console": Product(
        {"server_version": "1.18.0/bouncer", "client_encoding": "UTF8", "TimeZone": "GMT"},
        refuses="UNLISTEN|CLOSE|RESET|DISCARD|SELECT pg_|ROLLBACK|BEGIN|COMMIT",
    ),
    "Amazon RDS Proxy": Product(postgres("15.4"), key=None),
    "reports no version": Product({}, refuses="UNLISTEN|CLOSE|RESET|DISCARD|SET|SELECT pg_"),
}
