"""What commands are measured against where many processes record: Flask that inserts one event's
row, durably, into SQLite or PostgreSQL (``BENCH_DATABASE``), by one connection in each worker.

``BENCH_ROW`` is the topic and the state of the row, in a file.
"""

import json
import os
from pathlib import Path
from threading import Lock
from uuid import uuid4

import psycopg
from flask import Flask, Response, request

import service  # noqa: F401  (first: it puts a repaired SQLite under the name sqlite3)

import sqlite3  # isort: skip

DATABASE = os.environ["BENCH_DATABASE"]
TOPIC, STATE = json.loads(Path(os.environ["BENCH_ROW"]).read_text())
_REST = (
    "originator_version bigint, topic text, state {blob}, "
    "UNIQUE (originator_id, originator_version))"
)
_BARE = "CREATE TABLE IF NOT EXISTS bare (position {number} PRIMARY KEY, originator_id {id}, "
LAYOUT = _BARE + _REST
SQLITE = LAYOUT.format(number="INTEGER", id="text", blob="blob")
POSTGRES = LAYOUT.format(number="bigserial", id="uuid", blob="bytea")
COLUMNS = "bare (originator_id, originator_version, topic, state)"

app = Flask(__name__)
turn = Lock()


def insert_into_sqlite() -> None:
    """One transaction."""
    lite.execute("BEGIN IMMEDIATE")
    values = (uuid4().hex, 1, TOPIC, STATE.encode())
    lite.execute(f"INSERT INTO {COLUMNS} VALUES (?, ?, ?, ?)", values)
    lite.execute("COMMIT")


def insert_into_postgres() -> None:
    """One transaction. A worker's requests take turns, for psycopg has others run meanwhile."""
    with turn:
        values = (uuid4(), 1, TOPIC, STATE.encode())
        post.execute(f"INSERT INTO {COLUMNS} VALUES (%s, %s, %s, %s)", values)


if DATABASE.startswith("postgresql:"):
    post = psycopg.connect(DATABASE, autocommit=True)
    with post.transaction():
        post.execute("SELECT pg_advisory_xact_lock(1)")
        post.execute(POSTGRES)
    insert = insert_into_postgres
else:
    lite = sqlite3.connect(DATABASE, timeout=5, isolation_level=None)
    lite.execute("PRAGMA journal_mode = WAL")
    lite.execute("PRAGMA synchronous = FULL")
    lite.execute(SQLITE)
    insert = insert_into_sqlite


@app.get("/hello")
def hello() -> Response:
    """Nothing to do."""
    return Response("hello", content_type="text/plain")


@app.post("/insert")
def inserted() -> Response:
    """One event of a stream of its own, in a transaction."""
    body = request.get_data()
    insert()
    return Response(str(len(body)), 201, content_type="text/plain")
