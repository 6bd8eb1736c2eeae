"""How every command is carried out: decided on what the log has, recorded once, answered."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from eventsourcing.persistence import IntegrityError

from domain.actor import current_actor
from domain.errors import KeyReused, LedgerError, NotReady, Stale
from domain.lead import Lead
from service.commands.showing import Showing
from service.figures import EVENTS as RECORDED
from service.figures import FIGURES
from service.log_recorder import Insert, Stream
from service.proof.published import Published
from service.reads import Reads
from service.requests import Answered, Call, claim
from service.scope import ALL, Scope

# Each try loses only to another command on the same lead that was recorded meanwhile; who lost so
# many is alone for the next.
ATTEMPTS, POLITE = 64, 4

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """A command's answer: the ``subject`` as it was at ``version``, shown as ``body``.

    ``position`` is the log position it was recorded at; None when nothing was recorded now.
    """

    subject: UUID
    version: int
    status: int
    body: dict[str, Any]
    position: int | None = None
    replayed: bool = False


def aggregate_of(events: Iterable[Any]) -> Any:
    """The aggregate after its events (the library's own loop checks each one's type at length)."""
    aggregate = None
    for event in events:
        aggregate = event.mutate(aggregate)
    return aggregate


class Carrying(Showing):
    """Carries out what the commands decide."""

    reads: Reads
    published: Published

    def _change(
        self,
        cls: type[Any],
        subject: UUID,
        call: Call,
        decide: Callable[[Any], None],
        follow: Callable[[Any], list[Any]] = lambda _aggregate: [],
    ) -> Answer:
        """Load ``subject``, check the version the caller knows, and let it decide; with the events
        of others that ``follow``."""

        def attempt() -> tuple[list[Any], list[Any]]:
            ahead = call.ahead.pop(subject, None)
            events = self._seen(cls, subject, call.scope, proposed=True, ahead=ahead)
            aggregate: Any = aggregate_of(events)
            self._check_version(call, cls, subject, aggregate.version)
            decide(aggregate)
            return events, [*aggregate.collect_events(), *follow(aggregate)]

        return self._carry_out(call, 200, attempt)

    def _carry_out(self, call: Call, status: int, attempt: Callable[[], tuple[Any, Any]]) -> Answer:
        """Record what ``attempt`` gives, (the events before, the new ones); again on a conflict.

        Everything is loaded anew for each try. A try whose reply was lost is known by its
        request id, so that nothing is recorded twice.
        """
        known = call.data_version
        self.published.check_quiet(self.reads.data_version() if known is None else known)
        subject: UUID | None = None
        for tries in range(ATTEMPTS):
            answer = self._answered_before(call)
            if answer is None and subject is not None:
                answer = self._recorded_by_this_request(subject, status)
            if answer is not None:
                return answer
            with self._turn(tries) as insert:
                made = self._attempted(call, attempt)
                if isinstance(made, Answer):
                    return made
                before, new = made
                subject = (before or new)[0].originator_id
                stream = [*before, *(event for event in new if event.originator_id == subject)]
                version = stream[-1].originator_version
                claims = claim(call, subject, version, status)
                if not new and not claims:
                    return Answer(subject, version, status, self._show(stream))
                stored = [self.mapper.to_stored_event(event) for event in (*new, *claims)]
                try:
                    position = insert(stored)[-1]
                except IntegrityError:
                    continue
            FIGURES.add((RECORDED,), len(stored))
            return Answer(subject, version, status, self._show(stream), position)
        raise NotReady("Too many others wrote at the same moment; nothing was recorded.")

    def _attempted(self, call: Call, attempt: Callable[[], tuple[Any, Any]]) -> Any:
        """What the attempt gives; or the first answer to the request, if it is refused perhaps
        because the same request, sent twice, was faster elsewhere."""
        try:
            return attempt()
        except LedgerError:
            answer = self._answered_before(call)
            if answer is None:
                raise
            return answer

    def _turn(self, tries: int) -> AbstractContextManager[Insert]:
        """By what is appended at a try after so many."""
        recorder = self.log_recorder
        return recorder.alone() if tries >= POLITE else nullcontext(recorder.insert_events)

    def _answered_before(self, call: Call) -> Answer | None:
        """The first answer to this idempotency key; KeyReused if it asked for something else."""
        claim_id = call.claim_id
        claimed = self._events(claim_id, ahead=call.ahead.pop(claim_id, None)) if claim_id else []
        if not claimed:
            return None
        first = cast(Answered, claimed[0])
        if first.digest != call.digest:
            raise KeyReused(
                "Idempotency-Key '{key}' came before with another request.", key=call.key
            )
        subject = UUID(first.subject)
        body = self._show(self._events(subject, upto=first.version))
        # Whatever position the answer names, it was recorded by then.
        self.reads.data_version()
        # A try of this very request, whose reply was lost, is no replay.
        replayed = first.request != current_actor().request
        return Answer(subject, first.version, first.status, body, replayed=replayed)

    def _recorded_by_this_request(self, subject: UUID, status: int) -> Answer | None:
        events = self._events(subject)
        mine = [event for event in events if event.request == current_actor().request]
        if not mine:
            return None
        version = mine[-1].originator_version
        return Answer(subject, version, status, self._show(events[:version]))

    def _seen(
        self,
        cls: type[Any],
        subject: UUID,
        scope: Scope,
        *,
        proposed: bool = False,
        ahead: Stream | None = None,
    ) -> list[Any]:
        """All events of ``subject``; NotFound unless it is a ``cls`` that ``scope`` sees as it is
        after the last of them, or (``proposed``) that is proposed to pass there. Of what it does
        not see nothing is read."""
        if scope == ALL:
            return self._stream(cls, subject, ahead)
        for _ in range(ATTEMPTS):
            if cls is Lead:
                version = self.reads.lead_seen(subject, scope, proposed=proposed)
            else:
                version = self.reads.member_seen(subject, scope)
            events = self._stream(cls, subject)
            if events[-1].originator_version == version:
                return events
        raise NotReady("Too many others wrote at the same moment; nothing was recorded.")

    def _check_version(self, call: Call, cls: type[Any], subject: UUID, version: int) -> None:
        if call.if_match is None or version in call.if_match:
            return
        known = max((v for v in call.if_match if v < version), default=0)
        steps = self.reads.history(subject, after=known) if known and cls is Lead else []
        since = self.personal.steps(steps)
        wanted = ", ".join(map(str, sorted(call.if_match)))
        if wanted:
            raise Stale(
                "You know version {wanted}; the present one is {version}.",
                wanted=wanted,
                version=version,
                events=since,
            )
        raise Stale(
            "If-Match names no version; the present one is {version}.",
            version=version,
            events=since,
        )
