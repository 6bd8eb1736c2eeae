"""marshmallow's checks, whose words are sentences of the ledger's (see `domain.sentences`)."""

from marshmallow import validate

from domain.sentences import Sentence


class _Pattern(str):
    """A pattern that marshmallow fills in."""

    __slots__ = ()

    def format(self, *_: object, **places: object) -> Sentence:
        """The sentence."""
        return Sentence(self, **places)


class OneOf(validate.OneOf):
    """One of some words."""

    default_message = _Pattern("Must be one of: {choices}.")


class Range(validate.Range):
    """A number from one to another."""

    def __init__(self, lowest: int, highest: int) -> None:
        told = "Must be greater than or equal to {min} and less than or equal to {max}."
        super().__init__(lowest, highest, error=_Pattern(told))


class Length(validate.Length):
    """So many of something."""

    message_max = _Pattern("Longer than maximum length {max}.")
    message_all = _Pattern("Length must be between {min} and {max}.")
