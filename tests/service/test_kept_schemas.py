"""What no log can give again gets its tables step by step, whatever version is there."""

from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from domain.errors import NotReady
from service import sessions, tokens, uses
from service.access import record
from service.kept_schemas import STEPS, Kept, kept_of
from service.migrating import Migration
from service.personal import keys
from service.postgres import Postgres
from service.projections.postgres_pool import Connections, driver_of
from service.projections.postgres_shadow import made_in
from service.projections.postgres_store import PostgresStore
from service.proof import published
from service.stores import ACCESS, KEYS, LEDGER, Which
from tests.postgres import database_of, rows
from tests.service.helpers import processes


class Case(NamedTuple):
    """The tables of a store, and a row of each."""

    which: Which
    tables: sa.MetaData

    @property
    def schema(self) -> str:
        """Where they are."""
        return self.which.schema

    def store(self, postgres: Postgres, kept: Kept | None = None, patience: float = 5) -> Any:
        """As the service uses them."""
        connections = Connections(postgres, patience)
        return closing(PostgresStore(connections, self.schema, self.tables, kept or self.kept))

    @property
    def kept(self) -> Kept:
        """Their steps."""
        return kept_of(self.tables)

    def fill(self, postgres: Postgres) -> None:
        """A row in each, with something in every column."""
        for table in made_in(self.schema, self.tables).sorted_tables:
            row = {column.name: _some(column) for column in table.columns}
            statement = sa.insert(table).values(row)
            with self.store(postgres) as store, store.reading() as connection:
                connection.execute(statement)

    def rows(self, postgres: Postgres) -> list[Any]:
        """Every row."""
        return [
            rows(postgres, f"SELECT t::text FROM {self.schema}.{name} t")
            for name in sorted(self.tables.tables)
        ]


CASES = {
    "tokens": Case(LEDGER, tokens.metadata),
    "sessions": Case(LEDGER, sessions.metadata),
    "checkpoints": Case(LEDGER, published.metadata),
    "token_uses": Case(LEDGER, uses.metadata),
    "access": Case(ACCESS, record.metadata),
    "keys": Case(KEYS, keys.metadata),
}
# How tables look from outside: columns, what holds of them, and how they are found.
SHAPE = (
    (
        "SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), "
        "a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attcollation::regcollation::text "
        "FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
        "WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r' "
        "AND c.relname NOT LIKE '%%migrations' ORDER BY 1, 2"
    ),
    (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = %s "
        "AND tablename NOT LIKE '%%migrations' ORDER BY 1"
    ),
    (
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = "
        "%s::regnamespace AND conname NOT LIKE '%%migrations%%' ORDER BY 1"
    ),
)


def _some(column: sa.Column[Any]) -> Any:
    if isinstance(column.type, sa.LargeBinary):
        return b"\x00\xff"
    return 7 if isinstance(column.type, sa.Integer) else f"{column.name} 王"


def shape(postgres: Postgres, schema: str) -> list[Any]:
    """All tables of the schema from outside."""
    return [rows(postgres, statement, schema) for statement in SHAPE]


def made_otherwise(postgres: Postgres, case: Case) -> None:
    """The tables as they were made before there were steps: from what the modules say of them."""
    connections = Connections(postgres, 5)
    connections.begin()
    with connections.one() as connection:
        driver_of(connection).execute(f"CREATE SCHEMA IF NOT EXISTS {case.schema}")
        made_in(case.schema, case.tables).create_all(connection)
    connections.end()


def test_every_store_has_its_steps() -> None:
    assert CASES.keys() == STEPS.keys()
    assert all(kept_of(case.tables).name == name for name, case in CASES.items())


@pytest.mark.parametrize("name", CASES)
def test_the_steps_lead_to_the_tables_that_the_service_uses(
    postgres: Postgres, tmp_path: Path, name: str
) -> None:
    case, other = CASES[name], database_of(tmp_path / "other")
    with case.store(postgres) as store:
        store.create_tables()
    made_otherwise(other, case)
    found = shape(postgres, case.schema)
    assert found[0] and found == shape(other, case.schema)


@pytest.mark.parametrize(
    ("name", "version"),
    [(name, version) for name, steps in STEPS.items() for version in range(len(steps) + 1)],
)
def test_every_earlier_version_becomes_the_present_one_and_keeps_its_rows(
    postgres: Postgres, tmp_path: Path, name: str, version: int
) -> None:
    """0: as they were made before there were steps."""
    case, fresh = CASES[name], database_of(tmp_path / "fresh")
    if version == 0:
        made_otherwise(postgres, case)
    else:
        with case.store(postgres, Kept(name, case.kept.steps[:version])) as store:
            store.create_tables()
    case.fill(postgres)
    before = case.rows(postgres)
    for database in (postgres, fresh):
        with case.store(database) as store:
            store.create_tables()
    assert case.rows(postgres) == before
    assert all(len(of_table) == 1 for of_table in before)
    assert shape(postgres, case.schema) == shape(fresh, case.schema)
    done = rows(postgres, f"SELECT number FROM {case.schema}.{name}_migrations ORDER BY 1")
    assert done == [(number,) for number in range(1, len(case.kept.steps) + 1)]


def start(barrier: Any, postgres: Postgres) -> None:
    """As a worker that starts."""
    barrier.wait()
    for case in CASES.values():
        with case.store(postgres, patience=30) as store:
            store.create_tables()


def test_six_that_start_at_once_on_an_empty_database_all_come_up(postgres: Postgres) -> None:
    processes(start, *[(postgres,)] * 6)
    for name, case in CASES.items():
        done = rows(postgres, f"SELECT number FROM {case.schema}.{name}_migrations")
        assert len(done) == len(STEPS[name])


def test_where_the_tables_are_the_present_ones_nothing_is_locked(postgres: Postgres) -> None:
    case = CASES["tokens"]
    with case.store(postgres) as store:
        store.create_tables()
    with postgres.connect(autocommit=False) as other:
        other.execute("SELECT pg_advisory_xact_lock(7104202)")
        other.execute("LOCK TABLE ledger.tokens, ledger.tokens_migrations IN EXCLUSIVE MODE")
        with case.store(postgres, patience=0.2) as store:
            store.create_tables()


def test_a_later_step_waits_for_a_reader_no_longer_than_a_command_waits(postgres: Postgres) -> None:
    case = CASES["keys"]
    with case.store(postgres) as store:
        store.create_tables()
    case.fill(postgres)
    step = Migration("to come", "ALTER TABLE ledger_keys.keys ADD COLUMN more text;")
    later = Kept("keys", (*case.kept.steps, step))
    with case.store(postgres, later, patience=0.3) as store:
        with postgres.connect(autocommit=False) as reader:
            reader.execute("SELECT count(*) FROM ledger_keys.keys")
            with pytest.raises(NotReady, match=r"Waited 0\.3 s"):
                store.create_tables()
        store.create_tables()
    assert rows(postgres, "SELECT count(*), count(more) FROM ledger_keys.keys") == [(1, 0)]
    # The release before does not start on what it does not know.
    with (
        case.store(postgres) as store,
        pytest.raises(NotReady, match="version 2, made by a later release"),
    ):
        store.create_tables()
