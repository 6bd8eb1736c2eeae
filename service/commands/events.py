"""Every event that may be stored, and what each kind of stream begins with."""

from domain.lead import Lead
from domain.member import Member
from domain.report import Report
from service.personal.erasures import Erased
from service.proof.events import AccessesNoted, KeyRotated, Ruled
from service.requests import Answered

EVENTS = (
    Member.Registered,
    Member.Retired,
    Lead.Tipped,
    Lead.Screened,
    Lead.NegotiationOpened,
    Lead.FollowedUp,
    Lead.MembersTold,
    Lead.MembersJoined,
    Lead.MembersLeft,
    Lead.CreditRuled,
    Lead.SigningPlanned,
    Lead.FrameworkAgreed,
    Lead.Signed,
    Lead.Groundbroken,
    Lead.Recognised,
    Lead.Suspended,
    Lead.Resumed,
    Lead.Closed,
    Lead.Reopened,
    Lead.TransferProposed,
    Lead.Transferred,
    Lead.TransferRefused,
    Lead.Revised,
    Lead.Corrected,
    Report.Sealed,
    Answered,
    KeyRotated,
    Ruled,
    AccessesNoted,
    Erased,
)
BEGINNINGS = {"member.registered": Member, "lead.tipped": Lead, "report.sealed": Report}
