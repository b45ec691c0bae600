"""How the tables of one version become those of the next.

Rule 1: a migration is one transaction with the number that it leads to: killed amid it, a
        process leaves the tables as they were, and the next start begins it anew.
Rule 2: it says in SQL what was true when it was written. The tables of ``tables`` go on
        changing, and a migration must not change with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: version -> the statements that lead there from the version before, on every database.
MIGRATIONS: Mapping[int, Sequence[str]] = {
    # Attempts and due times of each handler; lanes; chosen handlers; pruning; encryption.
    2: (
        "ALTER TABLE hookkit_deliveries ADD COLUMN is_encrypted BOOLEAN DEFAULT false NOT NULL",
        "ALTER TABLE hookkit_entries ADD COLUMN lost_claim_count INTEGER DEFAULT 0 NOT NULL",
        "ALTER TABLE hookkit_entries ADD COLUMN chosen_handlers TEXT",
        "ALTER TABLE hookkit_entries ADD COLUMN event_type VARCHAR(64)",
        "ALTER TABLE hookkit_attempts RENAME COLUMN result TO outcome",
        "ALTER TABLE hookkit_attempts ADD COLUMN retry_at_ms BIGINT",
        "CREATE INDEX hookkit_entries_delivery ON hookkit_entries (delivery_id)",
        """
        CREATE INDEX hookkit_entries_lane ON hookkit_entries (endpoint, lane, delivery_id, position)
        WHERE lane IS NOT NULL AND state IN ('pending', 'waiting', 'running')
        """,
    ),
    # Payload versions side by side.
    3: (
        """
        CREATE TABLE hookkit_facts (
            endpoint TEXT NOT NULL,
            fact VARCHAR(255) NOT NULL,
            entry_id BIGINT NOT NULL,
            version VARCHAR(255) NOT NULL,
            PRIMARY KEY (endpoint, fact)
        )
        """,
        """
        CREATE TABLE hookkit_switches (
            endpoint TEXT NOT NULL,
            number INTEGER NOT NULL,
            version VARCHAR(255) NOT NULL,
            vendor_type VARCHAR(255) NOT NULL,
            mode VARCHAR(16) NOT NULL,
            since_ms BIGINT NOT NULL,
            who TEXT NOT NULL,
            is_over BOOLEAN NOT NULL,
            PRIMARY KEY (endpoint, number)
        )
        """,
    ),
}
