"""The log's tables in PostgreSQL, the function that appends to it, and how both came about.

Each migration is carried out once, in the order of the table, by one process while the others wait;
each is a transaction of its own with the number that it leads to. It waits for no lock longer than
a command waits: who meets a reader that will not end gives up and is started again later.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa

from domain.errors import NotReady
from service.projections.postgres_pool import transaction, unhurried

# Advisory locks of ours: of whoever appends, and of whoever changes the schema.
APPENDING, _MIGRATING = 7_104_201, 7_104_202

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


class Migration(NamedTuple):
    """A step of the schema, and what it is for."""

    about: str
    statements: str


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
    """Bring the schema to the last of these steps, by one process while others wait; NotReady when
    a lock is not to be had in ``patience`` seconds, or the schema is of a later version."""
    steps, driver = tuple(steps), driver_of(connection)
    if (done := _version(driver)) == len(steps):
        return
    if done > len(steps):
        raise NotReady(
            f"The ledger's schema is of version {done}, made by a later release; this one knows "
            f"{len(steps)}. Start that release, or restore a backup from before it.",
            retry_after=60,
        )
    with _alone(driver, patience):
        driver.execute("CREATE SCHEMA IF NOT EXISTS ledger")
        driver.execute(
            "CREATE TABLE IF NOT EXISTS ledger.migrations (number integer PRIMARY KEY, "
            "about text NOT NULL, done_at timestamptz NOT NULL DEFAULT now())"
        )
    while (done := _version(driver)) < len(steps):
        with _alone(driver, patience):
            if _version(driver) == done:
                driver.execute(steps[done].statements)
                note = "INSERT INTO ledger.migrations (number, about) VALUES (%s, %s)"
                driver.execute(note, [done + 1, steps[done].about])


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
        with _alone(driver, patience):
            driver.execute(
                f"CREATE OR REPLACE TRIGGER ledger_changed "
                f"AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ledger.{table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION ledger.changed()"
            )


def driver_of(connection: sa.Connection) -> Any:
    """psycopg's own connection."""
    return connection.connection.dbapi_connection


@contextmanager
def _alone(driver: Any, patience: float) -> Iterator[None]:
    """A transaction of the only process that changes the schema."""
    timeout = max(1, round(patience * 1000))
    begin = f"BEGIN; SET LOCAL lock_timeout = {timeout}; SELECT pg_advisory_xact_lock({_MIGRATING})"
    with transaction(driver, begin), unhurried(driver):
        yield


def _version(driver: Any) -> int:
    there = "SELECT to_regclass('ledger.migrations') IS NOT NULL"
    if not driver.execute(there).fetchone()[0]:
        return 0
    number = "SELECT coalesce(max(number), 0) FROM ledger.migrations"
    version: int = driver.execute(number).fetchone()[0]
    return version
