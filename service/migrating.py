"""How what no log can give again gets its tables in PostgreSQL, and other ones later.

Each migration is carried out once, in the order of its list, by one process while the others wait;
each is a transaction of its own with the number that it leads to. It waits for no lock longer than
a command waits: who meets a reader that will not end gives up and is started again later.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from domain.errors import NotReady
from service.projections.postgres_pool import transaction, unhurried

# The advisory lock of whoever changes a schema.
_MIGRATING = 7_104_202


class Migration(NamedTuple):
    """A step, and what it is for."""

    about: str
    statements: str


class Place(NamedTuple):
    """A schema, and the table in it that says which steps were done."""

    schema: str
    noted: str


def migrate(driver: Any, place: Place, steps: Iterable[Migration], patience: float) -> None:
    """Bring the tables to the last of these steps, by one process while others wait; NotReady when
    a lock is not to be had in ``patience`` seconds, or they are of a later version. ``driver`` is
    psycopg's connection. Where all was done nothing is locked."""
    steps, name = tuple(steps), f"{place.schema}.{place.noted}"
    if (done := _version(driver, name)) == len(steps):
        return
    if done > len(steps):
        raise NotReady(
            f"The ledger's schema is of version {done}, made by a later release; this one knows "
            f"{len(steps)}. Start that release, or restore a backup from before it. ({name})",
            retry_after=60,
        )
    with alone(driver, patience):
        driver.execute(f"CREATE SCHEMA IF NOT EXISTS {place.schema}")
        driver.execute(
            f"CREATE TABLE IF NOT EXISTS {name} (number integer PRIMARY KEY, "
            "about text NOT NULL, done_at timestamptz NOT NULL DEFAULT now())"
        )
    while (done := _version(driver, name)) < len(steps):
        with alone(driver, patience):
            if _version(driver, name) == done:
                driver.execute(steps[done].statements)
                note = f"INSERT INTO {name} (number, about) VALUES (%s, %s)"
                driver.execute(note, [done + 1, steps[done].about])


@contextmanager
def alone(driver: Any, patience: float) -> Iterator[None]:
    """A transaction of the only process that changes a schema."""
    timeout = max(1, round(patience * 1000))
    begin = f"BEGIN; SET LOCAL lock_timeout = {timeout}; SELECT pg_advisory_xact_lock({_MIGRATING})"
    with transaction(driver, begin), unhurried(driver):
        yield


def _version(driver: Any, name: str) -> int:
    if not driver.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone()[0]:
        return 0
    number = f"SELECT coalesce(max(number), 0) FROM {name}"
    version: int = driver.execute(number).fetchone()[0]
    return version
