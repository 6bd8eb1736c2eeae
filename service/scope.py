"""What whoever asks may see and touch: the leads and members of a district, or those of one member.

Whether it sees a lead is judged by what the lead is now (`FILTERS` in `projections.choosing`).
"""

from dataclasses import dataclass
from functools import cached_property

from domain.errors import Forbidden
from service.projections.choosing import Selection


@dataclass(frozen=True)
class Scope:
    """``district`` is a prefix of codes, ``member`` an id; None: no such limit."""

    district: str | None = None
    member: str | None = None

    @cached_property
    def seen(self) -> Selection:
        """The leads that it sees."""
        return Selection(within=self.district, member=self.member)

    def sees_member(self, member_id: str, district: str) -> bool:
        """Whether it sees the member of that id, who is of that district."""
        return self.member in (None, member_id) and district.startswith(self.district or "")

    def check_district(self, district: str) -> None:
        """Forbidden for what is, or would be, in a district outside."""
        if not district.startswith(self.district or ""):
            raise Forbidden(
                "This token is limited to district {limit}, and {district} is outside of it.",
                limit=self.district,
                district=district,
            )

    def check_answers(self, district: str) -> None:
        """Forbidden unless a transfer that is proposed to ``district`` is this one's to answer."""
        if not district.startswith(self.district or ""):
            raise Forbidden(
                "The transfer is proposed to {district}, whose answer it is; this token "
                "is limited to district {limit}.",
                district=district,
                limit=self.district,
            )


ALL = Scope()
