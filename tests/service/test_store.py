"""Where tables are kept: all of a transaction or none, one moment per snapshot, clear refusals."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from domain.errors import NotReady
from service.projections.postgres_pool import connections_to
from service.projections.postgres_store import PostgresStore
from service.projections.sqlite_store import SQLiteStore
from service.projections.store import Prepared, Store, inserting, rows_of, upserting
from tests.postgres import database_of, kept_as
from tests.service.helpers import raw

metadata = sa.MetaData()
notes = sa.Table(
    "notes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)
sums = sa.Table(
    "sums",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("last", sa.Text, nullable=False),
)


def in_file(folder: Path, *, durable: bool = True) -> SQLiteStore:
    """A store in a file there."""
    return SQLiteStore(folder / "notes.sqlite", 0.2, metadata, durable=durable)


def in_schema(folder: Path, *, durable: bool = True) -> PostgresStore:
    """A store in a schema of the folder's database."""
    connections = connections_to(database_of(folder), 0.2)
    kept = kept_as("notes", "ledger", metadata) if durable else None
    return PostgresStore(connections, "ledger", metadata, kept)


KINDS: dict[str, Callable[..., Store]] = {"sqlite": in_file, "postgresql": in_schema}


@pytest.fixture(params=KINDS)
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store of two tables, in each database."""
    store = KINDS[request.param](tmp_path)
    store.create_tables()
    yield store
    store.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SQLiteStore]:
    """The same in a file."""
    store = in_file(tmp_path)
    store.create_tables()
    yield store
    store.close()


def write(store: Store, *ids: int, text: str = "x") -> None:
    """Add rows."""
    with store.writing() as connection:
        connection.execute(sa.insert(notes), [{"id": id, "text": text} for id in ids])


def ids(store: Store) -> list[int]:
    """What is there."""
    with store.reading() as connection:
        return list(connection.execute(sa.select(notes.c.id).order_by(notes.c.id)).scalars())


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    write(store, 1)
    with pytest.raises(ZeroDivisionError), store.writing() as connection:  # noqa: PT012
        connection.execute(sa.insert(notes), {"id": 2, "text": "x"})
        raise ZeroDivisionError
    assert ids(store) == [1]
    write(store, 3)
    assert ids(store) == [1, 3]


def test_what_is_not_committed_is_not_seen(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(sa.insert(notes), {"id": 1, "text": "x"})
        assert ids(store) == []
    assert ids(store) == [1]


def test_all_statements_of_a_snapshot_see_the_same_moment(store: Store) -> None:
    write(store, 1)
    count = sa.select(sa.func.count()).select_from(notes)
    with store.snapshot() as connection:
        assert connection.execute(count).scalar_one() == 1
        write(store, 2)
        assert connection.execute(count).scalar_one() == 1
    assert ids(store) == [1, 2]


def test_a_snapshot_whose_reader_fails_does_not_hold_its_moment_for_ever(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.snapshot() as connection:  # noqa: PT012
        connection.execute(sa.select(notes))
        raise ZeroDivisionError
    write(store, 1)
    assert ids(store) == [1]


def test_tables_may_be_made_again_and_keep_their_rows(store: Store) -> None:
    write(store, 1)
    store.create_tables()
    assert ids(store) == [1]


def test_a_locked_database_is_not_ready_and_works_again_afterwards(file: SQLiteStore) -> None:
    other = raw(file.path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(NotReady, match="cannot be used just now: database is locked"):
        write(file, 1)
    assert ids(file) == [], "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    write(file, 1)
    assert ids(file) == [1]


def test_a_full_disk_is_not_ready_and_works_again_afterwards(file: Store) -> None:
    with file.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NotReady, match="full"):
        write(file, *range(100), text="长" * 1000)
    assert ids(file) == []
    with file.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 4294967294")
    write(file, *range(100), text="长" * 1000)
    assert len(ids(file)) == 100


def test_a_file_that_cannot_be_opened_is_not_ready_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "notes.sqlite").mkdir()
    store = SQLiteStore(tmp_path / "notes.sqlite", 0.2, metadata, durable=False)
    for _ in range(2):
        with pytest.raises(NotReady, match="unable to open"):
            store.create_tables()
        with pytest.raises(NotReady, match="unable to open"):
            ids(store)
    (tmp_path / "notes.sqlite").rmdir()
    store.create_tables()
    write(store, 1)
    assert ids(store) == [1]
    store.close()


def test_a_file_that_is_no_database_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "notes.sqlite").write_bytes(b"no database at all" * 1000)
    store = SQLiteStore(tmp_path / "notes.sqlite", 0.2, metadata, durable=False)
    with pytest.raises(NotReady, match=r"notes\.sqlite is damaged: file is not a database"):
        store.create_tables()
    store.close()


def rows(store: Store, table: sa.Table) -> list[tuple[object, ...]]:
    """The whole table."""
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.c))]


def test_an_upsert_replaces_the_row_of_its_key_and_inserts_the_others(store: Store) -> None:
    put = upserting(notes)
    for given in ([], [(1, "first"), (2, "first")], [(2, "second"), (3, "second")]):
        with store.writing() as connection:
            put.many(connection, given)
    assert rows(store, notes) == [(1, "first"), (2, "second"), (3, "second")]


def test_an_upsert_that_adds_sums_up_within_a_batch_too(store: Store) -> None:
    add = upserting(sums, adding=["count"])
    for given in ([("a", 1, "x"), ("a", 2, "y")], [("b", 5, "z"), ("a", -4, "w")]):
        with store.writing() as connection:
            add.many(connection, given)
    assert rows(store, sums) == [("a", -1, "w"), ("b", 5, "z")]


def test_a_plain_insert_of_a_row_that_is_there_fails_as_a_whole(store: Store) -> None:
    write(store, 2)
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        inserting(notes).many(connection, [(1, "x"), (2, "x")])
    assert ids(store) == [2]


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1001])
def test_rows_of_many_keys_come_once_each(store: Store, count: int) -> None:
    write(store, *range(1100))
    keys = list(range(count))
    with store.reading() as connection:
        found = [row.id for row in rows_of(connection, sa.select(notes), notes.c.id, keys)]
    assert found == keys


def rows_kept(store: Store, table: sa.Table) -> int:
    """How many there are."""
    return len(rows(store, table))


def columns(store: Store, table: sa.Table) -> set[str]:
    """Those that the database says the table has."""
    with store.reading() as connection:
        return {c["name"] for c in sa.inspect(connection).get_columns(table.name)}


# (On PostgreSQL what nothing else has is changed step by step: see test_kept_schemas.py.)
@pytest.mark.parametrize(
    ("kind", "durable"), [("sqlite", False), ("sqlite", True), ("postgresql", False)]
)
def test_tables_of_another_shape_are_made_anew_unless_nothing_else_has_their_rows(
    tmp_path: Path, kind: str, durable: bool
) -> None:
    store = KINDS[kind](tmp_path, durable=durable)
    store.create_tables()
    with store.writing() as connection:
        connection.execute(sa.insert(sums), {"name": "a", "count": 1, "last": "b"})
        connection.exec_driver_sql("ALTER TABLE notes DROP COLUMN text")
    assert columns(store, notes) == {"id"}
    store.create_tables()
    assert columns(store, notes) == {"id", "text"}
    assert rows_kept(store, sums) == (1 if durable else 0)
    store.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_that_another_version_did_not_have_is_not_left_empty_among_others(
    tmp_path: Path, kind: str
) -> None:
    store = KINDS[kind](tmp_path, durable=False)
    store.create_tables()
    with store.writing() as connection:
        connection.execute(sa.insert(sums), {"name": "a", "count": 1, "last": "b"})
        connection.exec_driver_sql("DROP TABLE notes")
    store.create_tables()
    assert columns(store, notes) == {"id", "text"}
    assert rows_kept(store, sums) == 0, "the log fills both again"
    store.close()


TEXTS = ["", " ", "A", "B", "_", "a", "a b", "ab", "b", "Ä", "ä", "é", "中", "北京", "江苏", "𠀀"]


def test_texts_sort_and_compare_as_their_characters_do(store: Store) -> None:
    given = [(number, text) for number, text in enumerate(reversed(TEXTS))]
    with store.writing() as connection:
        inserting(notes).many(connection, given)
    assert sorted(TEXTS) == TEXTS
    with store.reading() as connection:
        found = connection.execute(sa.select(notes.c.text).order_by(notes.c.text)).scalars().all()
        assert found == TEXTS
        for text in TEXTS:
            less = sa.select(sa.func.count()).where(notes.c.text < text)
            assert connection.execute(less).scalar_one() == TEXTS.index(text)
            last = sa.select(sa.func.max(notes.c.text)).where(notes.c.text <= text)
            assert connection.execute(last).scalar_one() == text


def test_row_values_compare_one_after_the_other(store: Store) -> None:
    with store.writing() as connection:
        inserting(notes).many(connection, [(n, "ab"[n % 2]) for n in range(6)])
    place = sa.tuple_(notes.c.text, notes.c.id)
    last = sa.tuple_(sa.bindparam("key"), sa.bindparam("id"))
    after = Prepared(
        lambda _insert: (
            sa.select(notes.c.id).where(place > last).order_by(*place).limit(sa.bindparam("most"))
        ),
        ["key", "id", "most"],
    )
    with store.reading() as connection:
        assert after.all(connection, "a", 2, 3) == [(4,), (1,), (3,)]
        assert after.all(connection, "b", 5, 3) == []


@pytest.mark.parametrize("count", [1, 30])
def test_what_is_read_past_sqlalchemy_is_what_was_written(store: Store, count: int) -> None:
    """Whole numbers of any size, texts of any length, a sum as a whole number."""
    given = [(f"名{n}" + "长" * 1000, 2**31 - 1, "\x1f\\N\t\n\r'\"%") for n in range(count)]
    with store.writing() as connection:
        inserting(sums).many(connection, given)
    every = Prepared(lambda _insert: sa.select(sums).order_by(sums.c.name), [])
    total = Prepared(lambda _insert: sa.select(sa.func.sum(sums.c.count)), [])
    with store.reading() as connection:
        assert sorted(map(tuple, every.all(connection))) == sorted(given)
        assert total.one(connection) == ((2**31 - 1) * count,)


def test_another_writer_is_waited_for_and_then_not_ready(store: Store, tmp_path: Path) -> None:
    kind = "sqlite" if isinstance(store, SQLiteStore) else "postgresql"
    other = KINDS[kind](tmp_path)
    raises = pytest.raises(NotReady, match=r"Waited 0\.2 s to write")
    with store.writing(), raises, other.writing():
        pass
    write(other, 1)
    other.close()
    assert ids(store) == [1]


def test_whoever_keeps_others_from_writing_keeps_nobody_from_reading(store: Store) -> None:
    write(store, 1)
    with store.alone():
        assert ids(store) == [1]
    write(store, 2)
