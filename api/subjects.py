"""Persons whose contacts are sealed: erased on request."""

from typing import Any

from flask_smorest import Blueprint

from api.answers import ErasureOut
from api.endpoint import answered, call, endpoint, ledger
from api.reply import Reply
from api.schemas import ErasureIn, id_of

blueprint = Blueprint("subjects", __name__, url_prefix="/v1/subjects", description="个人信息.")


@endpoint(
    blueprint,
    "POST",
    "/<subject_id>/erasure",
    "erase personal data",
    ErasureOut,
    body=ErasureIn(),
    refusals=(404,),
)
def erase(subject_id: str, body: dict[str, Any]) -> Reply:
    """Destroy a person's key: name and telephone number are 已删除 from then on, on every lead, in
    every history and export. It cannot be undone; asked again it tells of the first time."""
    return answered(ledger().erase(id_of(subject_id, "subject"), call(body), body))
