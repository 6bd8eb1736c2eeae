"""The unified social credit code (统一社会信用代码, GB 32100) of a company."""

from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from domain.sentences import Sentence


def uscc_fault(code: str) -> str | None:
    """Why ``code`` is no USCC of 18 characters with a true check character, or None."""
    try:
        exact = uscc.validate(code) == code
    except ValidationError as why:
        said = str(why).rstrip(".")
        return Sentence(
            "'{code}' is no unified social credit code: {said}.", code=code[:40], said=said
        )
    return (
        None
        if exact
        else Sentence("'{code}' is to be written in capitals, without separators.", code=code[:40])
    )
