"""The metadata server that Google's auth library asks inside a container: who am I, and what is my token.

A container of service account E is given `GCE_METADATA_HOST=HOST:PORT/as/E`, so each has its own identity though all
share one address. Tokens are made up; they name the account they are for.
Source: Compute Engine, "About VM metadata"; google.auth.compute_engine._metadata.
"""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, not_found

FLAVOR = {"Metadata-Flavor": "Google"}
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
TOKEN_LIFE_S = 3600
DEFAULT_PROJECT = "local"
_ACCOUNT_DOMAIN = ".iam.gserviceaccount.com"


def token_of(email: str) -> str:
    return "local." + base64.urlsafe_b64encode(email.encode()).decode().rstrip("=")


def email_of(token: str) -> str | None:
    """The account a token was made for; None for a token that was not made here."""
    head, _, rest = token.partition(".")
    if head != "local" or not rest:
        return None
    try:
        return base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4)).decode()
    except ValueError:
        return None


def host_for(cloud: LocalCloud, email: str | None) -> str:
    """GCE_METADATA_HOST of a container that runs as this account."""
    return f"{cloud.metadata_host}/as/{email}" if email else cloud.metadata_host


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()

    def project(email: str = "") -> str:
        """An account's own, `NAME@PROJECT.iam.gserviceaccount.com`; else the first that is known."""
        if email.endswith(_ACCOUNT_DOMAIN):
            return email.removesuffix(_ACCOUNT_DOMAIN).partition("@")[2]
        return next(iter(cloud.projects.known()), DEFAULT_PROJECT)

    def default_email() -> str:
        return f"{cloud.projects.number(project())}-compute@developer.gserviceaccount.com"

    def answer(request: Request, path: str, email: str) -> Response:
        if request.headers.get("Metadata-Flavor") != "Google":
            raise ApiError("PERMISSION_DENIED", "Missing Metadata-Flavor:Google header.")
        found = _lookup(path.strip("/"), email, project(email), cloud)
        if isinstance(found, dict):
            return JSONResponse(found, headers=FLAVOR)
        return PlainTextResponse(found, headers=FLAVOR)

    @routes.get("/")
    def ping() -> Response:
        """What the auth library asks first: is this a metadata server?"""
        return PlainTextResponse("computeMetadata/\n", headers=FLAVOR)

    @routes.get("/computeMetadata/v1/{path:path}")
    def get(request: Request, path: str) -> Response:
        return answer(request, path, default_email())

    @routes.get("/as/{email}/computeMetadata/v1/{path:path}")
    def get_as(request: Request, email: str, path: str) -> Response:
        return answer(request, path, email)

    return routes


def _lookup(path: str, email: str, project: str, cloud: LocalCloud) -> dict[str, Any] | str:
    if path == "project/project-id":
        return project
    if path == "project/numeric-project-id":
        return cloud.projects.number(project)
    if path in ("universe/universe-domain", "universe/universe_domain"):
        return "googleapis.com"
    head, _, rest = path.partition("instance/service-accounts/")
    if head or not path.startswith("instance/service-accounts"):
        raise not_found(path)
    who, _, what = rest.partition("/")
    if not who:
        return f"default/\n{email}/\n"
    if who not in ("default", email):
        raise not_found(path)
    answers: dict[str, dict[str, Any] | str] = {
        "": {"email": email, "scopes": SCOPES, "aliases": ["default"]},
        "email": email,
        "scopes": "\n".join(SCOPES) + "\n",
        "aliases": "default\n",
        "token": {"access_token": token_of(email), "expires_in": TOKEN_LIFE_S, "token_type": "Bearer"},
    }
    if what not in answers:
        raise not_found(path)
    return answers[what]
