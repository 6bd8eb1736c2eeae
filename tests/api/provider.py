"""A real OpenID Connect provider in a process of its own, built with Authlib's server parts.

In the JSON that it is given on stdin stand its clients' ``secret`` and its ``clients``: id → what
their tokens claim besides, or in place of, what Authlib itself says. It prints its issuer when it
listens.
"""

import json
import sys
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, Response, jsonify
from joserfc.jwk import ECKey, KeySet, RSAKey
from werkzeug.serving import make_server

CLIENTS: dict[str, dict[str, Any]] = {}
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
        """The one for clients."""
        return grant_type == "client_credentials"


class Generator(JWTBearerTokenGenerator):
    """Signs with the present key."""

    def get_jwks(self) -> Any:
        """The key, with its id in the header."""
        return KeySet(KEYS[:1])

    def get_audiences(self, client: Any, user: Any, scope: Any) -> str:
        """The ledger."""
        return "lead-ledger"

    def get_extra_claims(self, client: Client, *_: Any) -> dict[str, Any]:
        """What the test wants it to say."""
        return CLIENTS[client.id]


@app.get("/.well-known/openid-configuration")
def discovery() -> Response:
    """Where everything is."""
    return jsonify(
        issuer=app.config["ISSUER"],
        jwks_uri=app.config["ISSUER"] + "/keys",
        token_endpoint=app.config["ISSUER"] + "/token",
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
    generator = Generator(app.config["ISSUER"])
    server.register_token_generator("default", generator)
    app.extensions.update(server=server, generator=generator)
    sys.stdout.write(app.config["ISSUER"] + "\n")
    sys.stdout.flush()
    http.serve_forever()


if __name__ == "__main__":
    main()
