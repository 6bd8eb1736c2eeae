"""What statements compile to for one file is kept for all."""

from pathlib import Path

import sqlalchemy as sa

from service.projections.sqlite_file import engine_of

_NUMBERS = sa.table("numbers", sa.column("number"))


def test_a_statement_is_compiled_once_for_all_files_and_each_gives_its_own_rows(
    tmp_path: Path,
) -> None:
    compiled, found = [], []
    for number in (1, 2):
        engine = engine_of(tmp_path / f"{number}.sqlite", 1, "rwc")
        sa.event.listen(engine, "after_cursor_execute", lambda *told: compiled.append(told[4]))
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE numbers (number)")
            connection.exec_driver_sql("INSERT INTO numbers VALUES (?)", (number,))
            found.append(connection.execute(sa.select(_NUMBERS.c.number)).scalar_one())
        engine.dispose()
    assert found == [1, 2]
    of_statements = [context.compiled for context in compiled if context.compiled]
    assert len(of_statements) == 2 and of_statements[0] is of_statements[1]
