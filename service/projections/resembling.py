"""What leads may be the same as, found ahead of being asked for: see `service/ahead.py`.

No projection: a row may be missing, and the search is made when it is asked for. What rows there
are go with the rest of the file, so whatever makes that anew begins without any.
"""

import sqlalchemy as sa

from service.projections.store import ASIDE, Prepared, metadata, upserting

# The row of lead 0 says up to which position of the log every other row still holds.
ALL = 0

resembling = sa.Table(
    "resembling",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True, autoincrement=False),
    # The position at which it was found.
    sa.Column("position", sa.BigInteger, nullable=False),
    # The JSON of a list; null for none.
    sa.Column("said", sa.LargeBinary),
    # The JSON of what it may be changed by: the lead's keys, and the ids of the leads in the list.
    sa.Column("touched_by", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    info={ASIDE: True},
)

KEEP = upserting(resembling)
FORGET = Prepared(
    lambda _insert: sa.delete(resembling).where(resembling.c.lead == sa.bindparam("of")), ["of"]
)
