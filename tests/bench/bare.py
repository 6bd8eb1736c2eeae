"""What the service is measured against: Flask that says hello, and that inserts one event's row.

The inserts write what the ledger wrote for the same request (``BENCH_ROWS``: name → topic and
state), into a table of the same layout, with the same repaired SQLite, durably.
"""

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask import Flask, Response, request

import service  # noqa: F401  (first: it puts a repaired SQLite under the name sqlite3)

import sqlite3  # isort: skip

FOLDER = Path(os.environ["BENCH_ROWS"])
ROWS: dict[str, Any] = json.loads((FOLDER / "rows.json").read_text())
INSERT = "INSERT INTO stored_events VALUES (?, ?, ?, ?)"

app = Flask(__name__)
connection = sqlite3.connect(FOLDER / "bare.sqlite", timeout=5, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA synchronous = FULL")


@app.get("/hello")
def hello() -> Response:
    """Nothing to do."""
    return Response("hello", content_type="text/plain")


@app.post("/insert/<name>")
def insert(name: str) -> Response:
    """One event of a stream of its own, in a transaction."""
    body = request.get_data()
    topic, state = ROWS[name]
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(INSERT, (uuid4().hex, 1, topic, state.encode()))
    connection.execute("COMMIT")
    return Response(str(len(body)), 201, content_type="text/plain")
