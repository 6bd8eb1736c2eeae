"""What the office does with the ledger: the application, its projections, imports, commands.

The import below comes first on purpose: it makes sure that whoever asks for ``sqlite3`` after
it gets a SQLite that does not lose writes.
"""

from service import safe_sqlite as safe_sqlite
