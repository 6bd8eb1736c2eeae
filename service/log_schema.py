"""The log's tables in PostgreSQL, the function that appends to it, and how both came about (see
`migrating.py`)."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from service import migrating
from service.migrating import Migration, Place, alone

# The advisory lock of whoever appends.
APPENDING = 7_104_201

_LOG = """
CREATE TABLE ledger.stored_events (
    position bigint PRIMARY KEY CHECK (position > 0),
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    UNIQUE (originator_id, originator_version)
);
-- One row: how many transactions changed what stands beside the log.
CREATE TABLE ledger.changes (number bigint NOT NULL);
INSERT INTO ledger.changes VALUES (1);
CREATE FUNCTION ledger.changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog AS $$
BEGIN
    UPDATE ledger.changes SET number = number + 1;
    RETURN NULL;
END $$;
-- What readiness tries out; never read.
CREATE TABLE ledger.readiness (room bytea NOT NULL);
"""

# ``sizes`` says how many of the events make up each command; of each command the position of its
# last event is returned, or NULL where a version was taken and nothing of it was recorded. One
# statement, so no client that stops can hold the lock.
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION ledger.append(
    patience integer, sizes integer[],
    ids uuid[], versions bigint[], topics text[], states bytea[]
) RETURNS bigint[] LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    last bigint;
    low integer := 1;
    high integer;
    taken bigint[] := '{{}}';
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true)
    WHERE current_setting('synchronous_commit') = 'off';
    PERFORM set_config('lock_timeout', patience::text, true);
    PERFORM pg_advisory_xact_lock({APPENDING});
    -- Another statement than the one that waited: it sees what was committed meanwhile.
    SELECT coalesce(max(position), 0) INTO last FROM ledger.stored_events;
    IF cardinality(sizes) = 1 THEN
        INSERT INTO ledger.stored_events
        SELECT last + n, id, version, topic, state
        FROM unnest(ids, versions, topics, states) WITH ORDINALITY
            AS e (id, version, topic, state, n);
        RETURN ARRAY[last + cardinality(ids)];
    END IF;
    FOR command IN 1 .. cardinality(sizes) LOOP
        high := low + sizes[command] - 1;
        BEGIN
            INSERT INTO ledger.stored_events
            SELECT last + n, id, version, topic, state
            FROM unnest(ids[low:high], versions[low:high], topics[low:high], states[low:high])
                WITH ORDINALITY AS e (id, version, topic, state, n);
            last := last + sizes[command];
            taken := taken || last;
        EXCEPTION WHEN unique_violation THEN
            taken := array_append(taken, NULL::bigint);
        END;
        low := high + 1;
    END LOOP;
    RETURN taken;
END $$;
"""
# What readiness asks: as much as a large command is written, under the same lock, and taken back.
_TRY = f"""
CREATE OR REPLACE FUNCTION ledger.try_append(patience integer, room bytea) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true)
    WHERE current_setting('synchronous_commit') = 'off';
    PERFORM set_config('lock_timeout', patience::text, true);
    PERFORM pg_advisory_xact_lock({APPENDING});
    INSERT INTO ledger.readiness VALUES (room);
    DELETE FROM ledger.readiness;
END $$;
"""
# At most one row: from where the ledger was moved, or is being moved.
_MOVING = """
CREATE TABLE ledger.moved (
    origin text NOT NULL, begun_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz
);
"""
TRY = "SELECT ledger.try_append(%s::int, %s::bytea)"
APPEND = (
    "SELECT ledger.append(%s::int, %s::int[], %s::uuid[], %s::bigint[], %s::text[], %s::bytea[])"
)


# Never changed once released: what comes later is a step of its own.
MIGRATIONS = (
    Migration("the log, and what tells that something beside it changed", _LOG),
    Migration("appending in the order of commits, without gaps", _FUNCTION),
    Migration("trying whether a command could be recorded", _TRY),
    Migration("what is being moved here from another database", _MOVING),
)


def migrate(
    connection: sa.Connection, patience: float, steps: Iterable[Migration] = MIGRATIONS
) -> None:
    """Bring the schema to the last of these steps."""
    migrating.migrate(driver_of(connection), Place("ledger", "migrations"), steps, patience)


def heed(connection: sa.Connection, tables: Iterable[str], patience: float) -> None:
    """Let every change of these tables of the schema be counted."""
    driver = driver_of(connection)
    asked = (
        "SELECT c.relname FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c "
        "ON c.oid = t.tgrelid WHERE t.tgname = 'ledger_changed' "
        "AND c.relnamespace = 'ledger'::regnamespace"
    )
    there = {name for (name,) in driver.execute(asked).fetchall()}
    for table in sorted(set(tables) - there):
        with alone(driver, patience):
            driver.execute(
                f"CREATE OR REPLACE TRIGGER ledger_changed "
                f"AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ledger.{table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION ledger.changed()"
            )


def driver_of(connection: sa.Connection) -> Any:
    """psycopg's own connection."""
    return connection.connection.dbapi_connection
