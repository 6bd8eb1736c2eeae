"""Whoever an OpenID Connect provider vouches for: its keys, its tokens, and their roles here."""

from typing import TYPE_CHECKING

from service.settings import Settings

if TYPE_CHECKING:
    from service.signin.code import CodeFlow
    from service.signin.provider import Provider


def signing_in(settings: Settings) -> "tuple[Provider | None, CodeFlow | None]":
    """The provider of sign-ins, and what signs people in through it in a browser, as far as the
    settings name them."""
    if not settings.oidc_issuer:
        return None, None
    # What checks signatures takes as long to load as a database's client.
    from service.signin.code import CodeFlow  # noqa: PLC0415
    from service.signin.provider import Provider  # noqa: PLC0415

    provider = Provider(settings)
    return provider, CodeFlow(settings, provider) if settings.oidc_client else None
