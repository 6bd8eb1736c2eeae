"""A member's personal link: an address that signs in, and the same as a QR code."""

from base64 import b64encode
from functools import cached_property
from io import BytesIO

import segno
from markupsafe import Markup

from api.app import request_now

# Of the picture to keep: how many dots a module has.
_SCALE = 8


class PersonalLink:
    """The link of a ``token``. It stands behind the #, which no server is told of."""

    def __init__(self, token: str) -> None:
        self.address = f"{request_now().host_url}tip#{token}"

    @cached_property
    def _code(self) -> segno.QRCode:
        return segno.make(self.address, error="m", micro=False)

    @property
    def svg(self) -> Markup:
        """The code as a part of the page: dark on light, whatever the page's colours."""
        return Markup(  # noqa: S704 - of modules alone
            self._code.svg_inline(
                scale=4,
                border=3,
                dark="#000",
                light="#fff",
                svgclass="qr",
                lineclass=None,
                omitsize=True,
            )
        )

    @property
    def png(self) -> str:
        """A picture of it, as the address of a file to keep."""
        out = BytesIO()
        self._code.save(out, kind="png", scale=_SCALE, border=4)
        return f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"
