"""The Chinese fonts of documents, and what stands in for each where it is not installed."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from docx.opc.constants import RELATIONSHIP_TYPE

FANGSONG, SONGTI, HEITI = "仿宋", "宋体", "黑体"
# font → its other names, and its family by which another is chosen in its place
_FALLBACKS: Mapping[str, tuple[str, str]] = {
    FANGSONG: ("FangSong,仿宋_GB2312,STFangsong,Noto Serif CJK SC", "modern"),
    SONGTI: ("SimSun,STSong,Noto Serif CJK SC", "roman"),
    HEITI: ("SimHei,STHeiti,Noto Sans CJK SC", "swiss"),
}
_XML = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def declare_fonts(doc: Any) -> None:
    """Put the fonts into the document's table of fonts."""
    fonts = "".join(
        f"<w:font w:name={quoteattr(name)}><w:altName w:val={quoteattr(others)}/>"
        f'<w:charset w:val="86"/><w:family w:val="{family}"/></w:font>'
        for name, (others, family) in _FALLBACKS.items()
    )
    table = doc.part.part_related_by(RELATIONSHIP_TYPE.FONT_TABLE)
    table._blob = (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<w:fonts xmlns:w="{_XML}">{fonts}</w:fonts>'
    ).encode()
