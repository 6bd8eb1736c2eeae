"""What the ledger says no with: each error carries its sentence and its particulars."""

import pytest

from domain import errors
from domain.errors import Invalid, LedgerError, NotReady, Refused, Stale, none_such


def test_every_error_is_a_ledger_error_and_stands_in_the_drawn_tree() -> None:
    classes = [
        c for c in vars(errors).values() if isinstance(c, type) and c.__module__ == "domain.errors"
    ]
    assert len(classes) == 8
    for error in classes:
        assert issubclass(error, LedgerError)
        assert error.__name__ in str(errors.__doc__)


def test_invalid_names_each_field_with_its_reasons() -> None:
    error = Invalid({"title": ["It is empty."], "members": ("None.", "Really none.")})
    assert error.errors == {"title": ["It is empty."], "members": ["None.", "Really none."]}
    assert str(error) == "title: It is empty. members: None. Really none."


def test_refused_lists_missing_facts_and_by_itself_none() -> None:
    assert Refused("No.").missing == []
    error = Refused("It lacks two.", missing=("start", "evidence"))
    assert error.missing == ["start", "evidence"]
    assert str(error) == "It lacks two."


def test_stale_carries_what_happened_since() -> None:
    error = Stale("You know version 1; the present one is 2.", events=({"version": 2},))
    assert error.events == [{"version": 2}]
    assert str(error) == "You know version 1; the present one is 2."


def test_a_stale_version_and_a_ledger_that_is_not_ready_keep_the_values_of_their_pattern() -> None:
    stale = Stale("You know {wanted}.", events=[], wanted=3)
    wait = NotReady("Waited {patience} s.", patience=0.5)
    assert [stale.sentence.places, wait.sentence.places] == [{"wanted": 3}, {"patience": "0.5"}]
    assert (str(stale), str(wait)) == ("You know 3.", "Waited 0.5 s.")


@pytest.mark.parametrize("kind", ["lead", "member", "report", "import", "subject"])
def test_what_there_is_none_of_is_named_with_its_id(kind: str) -> None:
    assert str(none_such(kind, 7)) == f"There is no {kind} 7."


def test_not_ready_says_when_to_try_again() -> None:
    soon, later = NotReady("Wait."), NotReady("Wait longer.", retry_after=5)
    assert (str(soon), soon.retry_after) == ("Wait.", 1)
    assert (str(later), later.retry_after) == ("Wait longer.", 5)


def test_what_no_reader_could_read_is_named_by_its_escape() -> None:
    why = Invalid({"a\ud800": ["'\udfff' is no word, and 好 is one."]})
    assert why.errors == {"a\\ud800": ["'\\udfff' is no word, and 好 is one."]}
    assert str(why) == "a\\ud800: '\\udfff' is no word, and 好 is one."
