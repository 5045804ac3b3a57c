"""From a request's path to a canonical name, and from a name to what the client is shown."""

from __future__ import annotations

from fastapi import Request

from localcloud.projects import Projects
from localcloud.store import Document
from localcloud.wire import camel

PARENT = "/projects/{project}/locations/{location}"


class Addressing:
    """Projects come as id or number; inside they are ids, and Vertex AI's replies say the number."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    def parent(self, request: Request) -> str:
        values = request.path_params
        return self._projects.canonical(f"projects/{values['project']}/locations/{values['location']}")

    def name(self, request: Request, kind: str) -> str:
        """kind: `model` or `endpoint`, the path parameter that holds its id."""
        return f"{self.parent(request)}/{kind}s/{request.path_params[kind]}"

    def numbered(self, operation: Document) -> Document:
        return {**operation, "name": self._projects.numbered(operation["name"])}


def query_of(request: Request) -> Document:
    """The query, its names in camelCase whichever the client writes."""
    return {camel(key): value for key, value in request.query_params.items()}
