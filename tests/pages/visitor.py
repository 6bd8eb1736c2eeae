"""Somebody before a browser without scripts: cookies, pages, forms."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from flask import Flask
from werkzeug.test import Client, TestResponse

from api.pages.session import CSRF_FIELD


class Seen(HTMLParser):
    """What a page has: each tag with its attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._deaf = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append((tag, dict(attrs)))
        self._deaf += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        """Note its end."""
        self._deaf -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        """Note what is read."""
        if not self._deaf and data.strip():
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        """All of it, with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of each such tag."""
        wanted = attributes.items()
        return [found for name, found in self.tags if name == tag and wanted <= found.items()]


@dataclass
class Visitor:
    """One browser."""

    app: Flask
    client: Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def get(self, path: str, **headers: str) -> TestResponse:
        """Go there; ``Accept_Language=…`` is that header."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(path, headers={"Accept": "text/html,*/*;q=0.8", **sent})

    def see(self, path: str, status: int = 200, **headers: str) -> Seen:
        """The page there."""
        answer = self.get(path, **headers)
        assert answer.status_code == status, answer.text
        return Seen(answer.text)

    def send(self, path: str, *, on: str = "/signin", **values: str) -> TestResponse:
        """Fill in the form of the page ``on`` that goes to ``path``, and send it."""
        return self.client.post(path, data={CSRF_FIELD: self.csrf(on), **values})

    def csrf(self, on: str) -> str:
        """What forms of that page carry."""
        page = Seen(self.get(on).text)
        value = page.all("input", name=CSRF_FIELD)[0]["value"]
        assert value is not None
        return value

    def sign_in(self, token: str, **more: str) -> TestResponse:
        """With a token."""
        return self.send("/signin", token=token, **more)


def cookie(answer: TestResponse, name: str) -> str:
    """The line that sets it."""
    (line,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith(f"{name}=")]
    return line
