"""A SQLite that does not lose writes, under the name ``sqlite3``, or no start at all.

SQLite 3.7.0 to 3.51.2 can corrupt a WAL database, or lose a committed write, when a second
connection resets the WAL (fixed in 3.51.3, and in 3.44.6 and 3.50.7 of the older lines). Where
the interpreter links such a one, the one bundled with ``pysqlite3`` takes its place.
"""

import importlib
import sqlite3
import sys

FIXED = (3, 51, 3)
BACK_PORTED = {(3, 44): 6, (3, 50): 7}


def is_safe(version: tuple[int, ...]) -> bool:
    """Whether SQLite ``version`` (like (3, 51, 3)) has the repair."""
    fixed_at = BACK_PORTED.get((version[0], version[1]))
    return version >= FIXED or (fixed_at is not None and version[2] >= fixed_at)


def use_safe_sqlite() -> str:
    """Put a repaired SQLite in ``sys.modules`` and return its version; RuntimeError if none."""
    if is_safe(sqlite3.sqlite_version_info):
        return sqlite3.sqlite_version
    try:
        bundled = importlib.import_module("pysqlite3")
        dbapi2 = importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        bundled = None
    if bundled is None or not is_safe(bundled.sqlite_version_info):
        raise RuntimeError(
            f"SQLite {sqlite3.sqlite_version} can lose committed writes and no repaired one is "
            "installed: install pysqlite3 0.6.1 or newer, or a Python with SQLite 3.51.3."
        )
    sys.modules["sqlite3"] = bundled
    sys.modules["sqlite3.dbapi2"] = dbapi2
    return str(bundled.sqlite_version)


def bind_plainly() -> None:
    """Tell the driver that nothing, bytes and truths are bound as they are.

    It asks each such value whether it adapts itself, which costs ten times what binding does.
    """
    driver = importlib.import_module("sqlite3")
    for kind, adapted in {type(None): lambda nothing: nothing, bytes: bytes, bool: int}.items():
        driver.register_adapter(kind, adapted)


VERSION = use_safe_sqlite()
bind_plainly()
