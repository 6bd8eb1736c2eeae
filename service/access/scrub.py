"""What must not stand in a log line or an access record is taken out of whatever text brings it.

The last of several nets: nothing is meant to bring any of it here.
"""

import logging
import re

# pattern → what stands in its place
_TOKENS = (
    # A token of ours keeps its id, by which it can be revoked.
    (re.compile(r"\b(ll_[0-9a-f]{1,12})_[\w-]+"), r"\1_…"),
    # A signed token of a provider's (JWT): its header and claims begin with {" in base64.
    (re.compile(r"\beyJ[\w-]+(?:\.[\w-]*)+"), "eyJ…"),
)
_CREDENTIALS = (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 …")
# Telephone numbers in China, mobile ones however they are set apart and those with an area's code;
# but not within ids and digests.
_PHONES = re.compile(
    r"(?<![0-9a-f])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{12}|[0-9a-f]{32}"
    r"|[0-9a-f]{64})(?![0-9a-f])"
    r"|(?<!\d)(?P<first>1[3-9]\d)[- ]?\d{4}[- ]?(?P<last>\d{4})(?!\d)"
    r"|(?<![\d.])(?P<area>0\d{2,3})[- ]?[2-9]\d{2,3}(?P<end>\d{4})(?!\d)"
)


class Scrubbing(logging.Filter):
    """Scrubs every line of the logger that it is put on, tracebacks and all."""

    _format = logging.Formatter().formatException

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it pass, scrubbed."""
        record.msg, record.args = scrubbed(record.getMessage()), None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = scrubbed(self._format(record.exc_info))
        return True


def scrubbed(text: str) -> str:
    """``text``, a line of a log or a record, without tokens and phone numbers."""
    return without_secrets(_CREDENTIALS[0].sub(_CREDENTIALS[1], text))


def without_secrets(text: str) -> str:
    """The same of what a client is told, in which words like "Bearer" are ours."""
    for pattern, instead in _TOKENS:
        text = pattern.sub(instead, text)
    return _PHONES.sub(_without_its_middle, text)


def _without_its_middle(found: re.Match[str]) -> str:
    begin, end = found["first"] or found["area"], found["last"] or found["end"]
    return f"{begin}****{end}" if begin else found[0]
