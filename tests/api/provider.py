"""A real OpenID Connect provider in a process of its own, built with Authlib's server parts.

In the JSON that it is given on stdin stand its clients' ``secret`` and its ``clients``: id → what
their tokens claim besides, or in place of, what Authlib itself says; and its ``people``, who sign
in before a browser: name → what their access tokens claim, and, under ``id_token``, their ID
tokens. It prints its issuer when it listens.
"""

import json
import sys
import time
from typing import Any, ClassVar

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from authlib.oidc.core import AuthorizationCodeMixin
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from werkzeug.serving import make_server

CLIENTS: dict[str, dict[str, Any]] = {}
PEOPLE: dict[str, dict[str, Any]] = {}
# The key that signs now, and all that are told.
KEYS: list[Any] = []
app = Flask(__name__)


class Client(ClientMixin):
    """A client that has a secret and signs in as itself."""

    def __init__(self, id: str) -> None:
        self.id = id

    def get_client_id(self) -> str:
        """Its id."""
        return self.id

    def get_allowed_scope(self, scope: str | None) -> str:
        """Any."""
        return scope or "ledger"

    def check_client_secret(self, secret: str) -> bool:
        """All have the same one."""
        return bool(secret == app.config["SECRET"])

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """The one of the standard."""
        return (method, endpoint) == ("client_secret_basic", "token")

    def check_grant_type(self, grant_type: str) -> bool:
        """The one for clients, and the one for people."""
        return grant_type in ("client_credentials", "authorization_code")

    def check_response_type(self, response_type: str) -> bool:
        """A code."""
        return response_type == "code"

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """To the one place where people come back."""
        return redirect_uri.endswith("/signin/back")


class Person:
    """Somebody who signs in."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_user_id(self) -> str:
        """Their subject."""
        return f"subject of {self.name}"


class Code(AuthorizationCodeMixin):
    """What somebody comes back with, good once."""

    known: ClassVar[dict[str, "Code"]] = {}

    def __init__(self, asked: Any) -> None:
        self.client_id, self.person = asked.client.id, asked.user
        self.redirect_uri, self.scope = asked.payload.redirect_uri, asked.payload.scope
        self.nonce: str | None = asked.payload.data.get("nonce")
        self.code_challenge = asked.payload.data.get("code_challenge")
        self.code_challenge_method = asked.payload.data.get("code_challenge_method")

    def get_redirect_uri(self) -> str:
        """Where it was sent."""
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        """What for."""
        return str(self.scope)

    def get_nonce(self) -> str | None:
        """For which sign-in."""
        return self.nonce

    def get_auth_time(self) -> None:
        """Untold."""

    def get_acr(self) -> None:
        """Untold."""

    def get_amr(self) -> None:
        """Untold."""


class Codes(grants.AuthorizationCodeGrant):
    """The flow of a browser."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["client_secret_basic"]

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Until it is used."""
        Code.known[code] = Code(request)

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        """Of that client."""
        found = Code.known.get(code)
        return found if found and found.client_id == client.id else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """It is used."""
        for code in [code for code, known in Code.known.items() if known is authorization_code]:
            del Code.known[code]

    def authenticate_user(self, authorization_code: Code) -> Person:
        """Who got it."""
        found: Person = authorization_code.person
        return found


class Identity(OpenIDCode):
    """Adds the ID token."""

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """It never was."""
        return False

    def encode_id_token(self, token: dict[str, Any], request: Any) -> str:
        """Signed with the present key."""
        person, code = request.user, request.authorization_code
        claims = {
            "iss": app.config["ISSUER"],
            "aud": request.client.id,
            "sub": person.get_user_id(),
            "exp": int(time.time()) + 60,
            "iat": int(time.time()),
            "nonce": code.get_nonce(),
            **PEOPLE[person.name].get("id_token", {}),
        }
        header = {"alg": KEYS[0].alg, "kid": KEYS[0].kid}
        return jwt.encode(header, claims, KEYS[0])


class Generator(JWTBearerTokenGenerator):
    """Signs with the present key."""

    def get_jwks(self) -> Any:
        """The key, with its id in the header."""
        return KeySet(KEYS[:1])

    def get_audiences(self, client: Any, user: Any, scope: Any) -> str:
        """The ledger."""
        return "lead-ledger"

    def get_extra_claims(self, client: Client, _: Any, person: Any, *__: Any) -> dict[str, Any]:
        """What the test wants it to say."""
        if person is None:
            return CLIENTS[client.id]
        said = PEOPLE[person.name]
        return {name: value for name, value in said.items() if name != "id_token"}


@app.get("/.well-known/openid-configuration")
def discovery() -> Response:
    """Where everything is."""
    return jsonify(
        issuer=app.config["ISSUER"],
        jwks_uri=app.config["ISSUER"] + "/keys",
        token_endpoint=app.config["ISSUER"] + "/token",
        authorization_endpoint=app.config["ISSUER"] + "/authorize",
    )


@app.get("/keys")
def keys() -> Response:
    """The public keys; and how often they were asked for."""
    app.config["ASKED"] += 1
    return jsonify(KeySet(KEYS).as_dict(private=False))


@app.get("/asked")
def asked() -> Response:
    """How often the keys were asked for."""
    return jsonify(app.config["ASKED"])


@app.post("/token")
def token() -> Any:
    """A token for a client."""
    return app.extensions["server"].create_token_response()


@app.get("/authorize")
def who() -> str:
    """Who are you? (Everybody here is honest.)"""
    buttons = "".join(f"<button name=person value='{name}'>{name}</button>" for name in PEOPLE)
    head = "<!doctype html><title>Sign in</title><link rel=icon href=data:,>"
    return f"{head}<form method=post>{buttons}</form>"


@app.post("/authorize")
def authorize() -> Any:
    """Back with a code, or with a refusal for nobody."""
    name = request.form.get("person")
    server, user = app.extensions["server"], Person(name) if name else None
    grant = server.get_consent_grant(end_user=user)
    return server.create_authorization_response(grant=grant, grant_user=user)


@app.post("/rotate")
def rotate() -> Response:
    """Sign with another key from now on; the old one is withdrawn."""
    KEYS[:] = [ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"})]
    KEYS[0].ensure_kid()
    app.extensions["generator"].alg = "ES256"
    return jsonify(KEYS[0].kid)


def main() -> None:
    """Serve until killed."""
    told = json.load(sys.stdin)
    CLIENTS.update(told["clients"])
    PEOPLE.update(told.get("people", {}))
    KEYS.append(RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}))
    KEYS[0].ensure_kid()
    http = make_server("127.0.0.1", 0, app, threaded=True)
    app.config.update(ISSUER=f"http://127.0.0.1:{http.port}", ASKED=0, SECRET=told["secret"])
    server = AuthorizationServer(
        app,
        query_client=lambda id: Client(id) if id in CLIENTS else None,
        save_token=lambda *_: None,
    )
    server.register_grant(grants.ClientCredentialsGrant)
    server.register_grant(Codes, [Identity(require_nonce=True), CodeChallenge(required=True)])
    generator = Generator(app.config["ISSUER"])
    server.register_token_generator("default", generator)
    app.extensions.update(server=server, generator=generator)
    sys.stdout.write(app.config["ISSUER"] + "\n")
    sys.stdout.flush()
    http.serve_forever()


if __name__ == "__main__":
    main()
