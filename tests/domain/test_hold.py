"""Holds: since when a lead was suspended, and from which day on it was not."""

from domain.hold import Hold, begun, ended, hold_on

MAY, JUNE, JULY = "2025-05-01", "2025-06-01", "2025-07-01"
FIRST = Hold(MAY, JUNE)


def test_one_that_begins_again_is_another_and_said_again_it_is_the_same() -> None:
    assert begun((), MAY) == (Hold(MAY),)
    assert begun((FIRST,), JULY) == (FIRST, Hold(JULY))
    assert begun((FIRST, Hold(JULY)), "2025-08-01") == (FIRST, Hold(JULY))


def test_only_the_last_ends_and_those_before_stay() -> None:
    earlier = Hold("2025-04-01", "2025-04-02")
    assert ended((earlier, FIRST, Hold(JULY)), "2025-07-09") == (
        earlier,
        FIRST,
        Hold(JULY, "2025-07-09"),
    )
    assert ended((FIRST,), JULY) == (FIRST,)
    assert ended((), JULY) == ()


def test_a_day_is_on_hold_until_the_lead_is_taken_up_again() -> None:
    both = (FIRST, Hold(JULY))
    assert [hold_on(both, day) for day in (MAY, "2025-05-31", JUNE, JULY)] == [
        FIRST,
        FIRST,
        None,
        Hold(JULY),
    ]
