"""What somebody who can write the database, or more, might do to the history. One function each.

Each is given the settings of a ledger of at least twenty events, of which the last ``later``
came after the last checkpoint that left the house, and alters it.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from domain.actor import now
from service.log import moment_text
from service.proof.keys import KeyFolder
from service.proof.notes import Checkpoint, Note
from service.proof.tiles import Tree
from service.settings import Settings
from tests.proof.ground import altered
from tests.service.helpers import a_lead, ledger_at, raw

TABLE = "stored_events"
MOVE = 1_000_000
# What comes after it was covered by no checkpoint yet when the attack took place.
COVERED = 20


def edit(settings: Settings, at: int = 7) -> None:
    """Change a figure in an event."""
    with altered(settings) as log:
        (state,) = log.execute(f"SELECT state FROM {TABLE} WHERE rowid = ?", (at,)).fetchone()
        facts = json.loads(state)
        facts["note"] = "改过的"
        new = json.dumps(facts, ensure_ascii=False).encode()
        log.execute(f"UPDATE {TABLE} SET state = ? WHERE rowid = ?", (new, at))


def back_date(settings: Settings) -> None:
    """Say that something happened, and was recorded, a year before."""
    with altered(settings) as log:
        (state,) = log.execute(f"SELECT state FROM {TABLE} WHERE rowid = 6").fetchone()
        facts = json.loads(state)
        facts["occurred_on"] = "2024-01-01"
        facts["timestamp"] = "2024" + facts["timestamp"][4:]
        new = json.dumps(facts, ensure_ascii=False).encode()
        log.execute(f"UPDATE {TABLE} SET state = ? WHERE rowid = 6", (new,))


def retopic(settings: Settings) -> None:
    """Make another event of it, with the same facts."""
    with altered(settings) as log:
        log.execute(f"UPDATE {TABLE} SET topic = 'lead.suspended' WHERE rowid = 5")


def delete(settings: Settings) -> None:
    """Take out an event in the middle."""
    with altered(settings) as log:
        log.execute(f"DELETE FROM {TABLE} WHERE rowid = 8")


def delete_and_close_ranks(settings: Settings) -> None:
    """Take out an event, and move the later ones up."""
    with altered(settings) as log:
        log.execute(f"DELETE FROM {TABLE} WHERE rowid = 8")
        shift(log, 8, -1)


def insert(settings: Settings) -> None:
    """Put an event between two others."""
    with altered(settings) as log:
        shift(log, 8, 1)
        log.execute(
            f"INSERT INTO {TABLE} (rowid, originator_id, originator_version, topic, state) "
            f"SELECT 9, lower(hex(randomblob(16))), 1, topic, state FROM {TABLE} WHERE rowid = 8"
        )


def shift(log: Any, after: int, by: int) -> None:
    """Move the events after a position."""
    log.execute(f"UPDATE {TABLE} SET rowid = rowid + ? WHERE rowid > ?", (MOVE, after))
    log.execute(f"UPDATE {TABLE} SET rowid = rowid + ? WHERE rowid > ?", (by - MOVE, MOVE))


def swap_states(settings: Settings) -> None:
    """Let two events say what the other one said."""
    with altered(settings) as log:
        states = dict(
            log.execute(f"SELECT rowid, state FROM {TABLE} WHERE rowid IN (5, 9)").fetchall()
        )
        log.execute(f"UPDATE {TABLE} SET state = ? WHERE rowid = 5", (states[9],))
        log.execute(f"UPDATE {TABLE} SET state = ? WHERE rowid = 9", (states[5],))


def reorder(settings: Settings) -> None:
    """Let two events have happened the other way round."""
    with altered(settings) as log:
        for source, target in ((5, MOVE), (9, 5), (MOVE, 9)):
            log.execute(f"UPDATE {TABLE} SET rowid = ? WHERE rowid = ?", (target, source))


def cut_tail(settings: Settings) -> None:
    """Take away the last events, among them signed ones."""
    with altered(settings) as log:
        log.execute(f"DELETE FROM {TABLE} WHERE rowid > ?", (COVERED - 4,))


def cut_and_grow(settings: Settings) -> None:
    """Take away the last events, and let others come in their place."""
    cut_tail(settings)
    forget_projections(settings)
    with ledger_at(settings) as ledger:
        for _ in range(6):
            a_lead(ledger)


def restore_yesterday(settings: Settings) -> None:
    """Put yesterday's copy of all files in place, but for the keeper's folder."""
    for file in (settings.database.parent / "yesterday").iterdir():
        if file.is_file():
            shutil.copy(file, settings.database.parent)
    for suffix in ("-wal", "-shm"):
        for path in (settings.database, settings.tree, settings.projections):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def alter_tree(settings: Settings) -> None:
    """Change a leaf in the tree and leave the events alone."""
    with closing(raw(settings.tree)) as tree:
        (hashes,) = tree.execute("SELECT hashes FROM tiles WHERE level = 0").fetchone()
        new = hashes[:96] + bytes([hashes[96] ^ 1]) + hashes[97:]
        tree.execute("UPDATE tiles SET hashes = ? WHERE level = 0", (new,))


def edit_and_rebuild(settings: Settings) -> None:
    """Change an event, and make the tree anew from the changed log."""
    edit(settings)
    rebuild_tree(settings)


def rebuild_tree(settings: Settings) -> None:
    """The tree of the log as it is now."""
    with ledger_at(settings) as ledger, closing(Tree(ledger.log_recorder, settings)) as tree:
        tree.forget()
        tree.catch_up(ledger.recorder.max_notification_id() or 0)


def strangers_key(settings: Settings) -> None:
    """Change an event, make the tree anew, and serve it signed with a key of one's own."""
    edit_and_rebuild(settings)
    stranger = KeyFolder(settings.database.parent / "stranger").make(now())
    with ledger_at(settings) as ledger:
        latest = ledger.published.latest()
        assert latest is not None
        origin = latest.note.partition("\n")[0]
        with closing(Tree(ledger.log_recorder, settings)) as tree, tree.view() as view:
            checkpoint = Checkpoint(origin, view.mark.size, view.root(view.mark.size))
    note = Note(checkpoint, (stranger.sign(checkpoint),))
    with altered(settings) as log:
        log.execute("DELETE FROM checkpoints")
        log.execute("DELETE FROM checkpoint_keys")
        log.execute(
            "INSERT INTO checkpoint_keys VALUES (?, ?)",
            (str(stranger.public(origin)), moment_text(now())),
        )
        log.execute(
            "INSERT INTO checkpoints (size, note, made_at) VALUES (?, ?, ?)",
            (checkpoint.size, str(note), moment_text(now())),
        )


def forget_projections(settings: Settings) -> None:
    """Have the projections made anew, as whoever alters the log would."""
    for suffix in ("", "-wal", "-shm"):
        path = settings.projections
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def record_falsely(settings: Settings) -> None:
    """Record what never happened, as someone who may record."""
    with ledger_at(settings) as ledger:
        a_lead(ledger)


def edit_later(settings: Settings) -> None:
    """Change an event that no checkpoint covers yet, and make the tree anew."""
    edit(settings, COVERED + 2)
    rebuild_tree(settings)


class Attack(NamedTuple):
    """What is tried; ``with_signer``: by somebody who holds the signing key as well."""

    name: str
    carry_out: Callable[[Settings], None]
    with_signer: bool = False


ATTACKS: Mapping[str, Attack] = {
    a.name: a
    for a in (
        Attack("edit an event", edit),
        Attack("back-date an event", back_date),
        Attack("make another event of it", retopic),
        Attack("delete an event", delete),
        Attack("delete an event, closing ranks", delete_and_close_ranks),
        Attack("insert an event between two", insert),
        Attack("swap the states of two events", swap_states),
        Attack("reorder two events", reorder),
        Attack("cut the tail", cut_tail),
        Attack("cut the tail and grow another", cut_and_grow),
        Attack("restore yesterday's copy", restore_yesterday),
        Attack("alter the tree, not the events", alter_tree),
        Attack("edit an event, rebuild the tree", edit_and_rebuild),
        Attack("sign it with a stranger's key", strangers_key),
        Attack("edit, rebuild and sign with the true key", edit_and_rebuild, True),
        Attack("show two auditors two logs", edit_and_rebuild, True),
        Attack("edit since the last checkpoint", edit_later),
        Attack("record falsely, by someone who may", record_falsely),
        Attack("edit since the last checkpoint, with the signer", edit_later, True),
    )
}
