"""The application: every command one method (`service.commands`). It alone writes to the log."""

from eventsourcing.persistence import ApplicationRecorder
from eventsourcing.utils import Environment, EnvType

from service.access.record import Access
from service.access.slowing import Slowing
from service.audit import Audit
from service.commands.events import BEGINNINGS, EVENTS
from service.commands.keeping import KeepingCommands
from service.commands.leads import LeadCommands
from service.log import LedgerMapper
from service.logs import check_unmoved, recorder_of
from service.personal.personal import Personal
from service.projections.store import Store, metadata
from service.proof.published import Published
from service.reads import Reads
from service.replica import answering, replica_of
from service.sessions import Sessions
from service.settings import Settings
from service.signin import signing_in
from service.stores import PROJECTIONS, store_of
from service.tokens import Tokens


class Ledger(LeadCommands, KeepingCommands):
    """The office's ledger, on the event log that the settings name."""

    name = "ledger"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()
        self.personal = Personal(settings, self.log_recorder, self.mapper)
        store = store_of(settings, PROJECTIONS, metadata)
        self.reads = Reads(self.log_recorder, self.mapper, store, self.personal.log_went_on)
        # Who answers what is read: from where it is written, and from a replica of that.
        self.here = answering(self.reads, self.personal, settings)
        _, self.reports, self.worklist, self.similar = self.here
        self.replica = replica_of(settings, self.log_recorder, self.mapper, self.personal)
        self.access = Access(settings)
        self.slowing = Slowing(
            settings.slowing, settings.failures_a_minute, settings.requests_a_minute
        )
        self.tokens = Tokens(settings, self.access)
        self.sessions = Sessions(settings, self.tokens, self.access)
        self.provider, self.sign_in = signing_in(settings)
        self._members, self._names = {}, {}
        self.published = Published(settings)
        self.audit = Audit(self.log_recorder, self.published, settings)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Only what is set here: no library setting slips in from the process environment."""
        fixed = {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(self.settings.database),
        }
        return Environment(name, {**fixed, **(env or {})})

    def construct_mapper(self) -> LedgerMapper:
        """The closed list of events that may be stored and read."""
        return LedgerMapper(EVENTS, BEGINNINGS)

    def construct_recorder(self) -> ApplicationRecorder:
        """Our recorder of the log."""
        return recorder_of(self.settings)

    def create_tables(self, *, projections: bool = True) -> None:
        """Make every table that is missing; safe when several processes start at once."""
        check_unmoved(self.settings)
        self.log_recorder.create_table()
        self.log_recorder.check_served()
        self.create_kept()
        self.tokens.uses.create()
        self.personal.create()
        if projections:
            self.reads.store.create_tables()

    def create_kept(self) -> None:
        """Make the tables of what no log can give again."""
        for store in self.kept:
            store.create_tables()
        self.log_recorder.heed(
            name
            for beside in (self.tokens, self.sessions, self.published)
            for name in beside.store.tables.tables
        )

    @property
    def kept(self) -> list[Store]:
        """Where is what no log can give again; the log itself apart."""
        keys = self.personal.keys.store
        named = (self.access, self.tokens, self.sessions, self.published)
        return [*(each.store for each in named), keys]

    def close(self) -> None:
        """Let go of every file."""
        self.log_recorder.close()
        self.tokens.store.close()
        self.sessions.store.close()
        self.tokens.uses.close()
        self.access.close()
        self.slowing.close()
        self.published.store.close()
        self.personal.keys.close()
        self.audit.close()
        self.reads.store.close()
        if self.replica:
            self.replica.close()
        super().close()
