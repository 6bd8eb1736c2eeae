"""A sentence is English, and knows what it is made of."""

import copy
import json

import pytest

from domain.errors import Invalid, NotFound, Refused, none_such
from domain.sentences import Named, Sentence, packed, together, unpacked

_SIGNED = Named("signed", "签约")
SAID = [
    Sentence("It is empty."),
    Sentence("{day} is before {first}.", day="2025-01-01", first=Sentence("the tip of {n}", n=3)),
    Sentence("It is {stage}, not {stages}.", stage=_SIGNED, stages=("tip", "lost")),
    Sentence("One of {words}.", words=[_SIGNED, Sentence("the tip of {n}", n=3), 4]),
]


def test_a_sentence_is_what_its_places_make_of_it() -> None:
    assert SAID[1] == "2025-01-01 is before the tip of 3."
    assert SAID[2] == "It is signed (签约), not tip, lost."


def test_what_stands_in_a_place_is_no_pattern() -> None:
    assert Sentence("'{text}' is none.", text="{other} {text}") == "'{other} {text}' is none."
    assert Sentence("No place of {that} name.") == "No place of {that} name."


def test_what_no_utf8_can_hold_is_escaped() -> None:
    assert Sentence("'{text}' is none.", text="\ud800") == r"'\ud800' is none."


@pytest.mark.parametrize("said", SAID)
def test_a_sentence_is_the_same_after_a_journey(said: Sentence) -> None:
    for back in (unpacked(packed(said)), copy.deepcopy(said)):
        assert (back, back.pattern, back.places) == (said, said.pattern, said.places)
    (word,) = [value for value in SAID[2].places.values() if isinstance(value, Named)]
    back = unpacked(packed(word))
    assert (back, back.name, back.label) == ("signed (签约)", "signed", "签约")


def test_packed_it_is_what_json_has() -> None:
    assert json.loads(json.dumps(packed(SAID[3]))) == {
        "pattern": "One of {words}.",
        "places": {
            "words": [
                {"name": "signed", "label": "签约"},
                {"pattern": "the tip of {n}", "places": {"n": 3}},
                4,
            ]
        },
    }


def test_several_sentences_are_one() -> None:
    assert together(SAID[:2]) == "It is empty. 2025-01-01 is before the tip of 3."
    assert together(SAID[:1]) is SAID[0]


def test_an_error_keeps_the_sentence_that_it_was_told() -> None:
    assert none_such("lead", 7).sentence.pattern == "There is no lead {id}."
    assert Refused(SAID[1]).sentence is SAID[1]
    assert NotFound("There is no {thing}.", thing="x").args == ("There is no x.",)
    (why,) = Invalid.of("day", "'{text}' is none.", text="x").errors["day"]
    assert isinstance(why, Sentence) and why.places == {"text": "x"}
