"""What a damaged file of what is made from the log alone is followed by: an empty one, which the
log fills again as it does one that is missing."""

import logging
import secrets

import sqlalchemy as sa

from domain.sentences import Sentence
from service.projections.sqlite_file import Identity, identity_of
from service.projections.sqlite_store import SQLiteStore
from service.projections.store import builds

log = logging.getLogger("leadledger")
_ANEW = Sentence("It was replaced by an empty one, which the log fills again before it is read.")


def make_anew(store: SQLiteStore, damaged: Identity) -> str:
    """Put an empty file in the place of the store's, if that is still the one that is
    ``damaged``; a sentence on what was done. NotReady when somebody else is at it.

    The new one has another name (see `shadow.py`): whoever still has the damaged one open, and
    its log and index, does nothing to the new one's.
    """
    with store.shadow() as shadow:
        if identity_of(store.path) == damaged:
            with shadow.transaction() as connection:
                if builds.name in store.tables.tables:
                    connection.execute(sa.insert(builds), {"id": secrets.token_hex(16)})
            shadow.finish()
            with store.alone():
                shadow.put_in_place()
            log.error("%s was damaged. %s", store.path, _ANEW)
    return _ANEW


def make_projections_anew(store: SQLiteStore, damaged: Identity) -> str:
    """As ``make_anew``, naming what is faster in a long log, and what helps if this does not."""
    return Sentence(
        "{anew} 'leadledger projections rebuild' does so sooner.", anew=make_anew(store, damaged)
    )
