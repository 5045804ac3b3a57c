"""IAM v1 and Resource Manager v1 and v3: service accounts, custom roles, and the policies of projects and accounts."""

from __future__ import annotations

import hashlib
import re

from fastapi import APIRouter

from localcloud.cloud import LocalCloud
from localcloud.errors import ApiError, invalid, not_found
from localcloud.operations import now
from localcloud.policies import drop_policy, get_policy, set_policy
from localcloud.store import Document
from localcloud.wire import JsonBody, camel, page, update_mask

ACCOUNT, ROLE = "serviceAccount", "role"
_ACCOUNT_ID = re.compile(r"[a-z](?:[a-z0-9-]{4,28})[a-z0-9]")
_ROLE_ID = re.compile(r"[A-Za-z0-9_.]{3,64}")


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()
    _add_accounts(routes, cloud)
    _add_account_policies(routes, cloud)
    _add_roles(routes, cloud)
    _add_projects(routes, cloud)
    return routes


def _account_name(cloud: LocalCloud, project: str, account: str) -> str:
    """The full name; `-` stands for the account's own project. An account may be named by its unique id."""
    if project == "-":
        project = account.partition("@")[2].partition(".")[0]
    name = f"projects/{cloud.projects.id(project)}/serviceAccounts/{account}"
    if cloud.store.get(name) is None:
        for one in cloud.store.list(ACCOUNT):
            if account in (one["uniqueId"], one["email"]):
                return str(one["name"])
        raise ApiError("NOT_FOUND", f"Unknown service account: {account}")
    return name


def _add_accounts(routes: APIRouter, cloud: LocalCloud) -> None:
    store = cloud.store

    @routes.post("/v1/projects/{project}/serviceAccounts")
    def create(project: str, body: JsonBody) -> Document:
        project, account = cloud.projects.id(project), str(body.get("accountId", ""))
        if not _ACCOUNT_ID.fullmatch(account):
            raise invalid(f"Invalid account id {account!r}: 6 to 30 of a-z, 0-9 and -, beginning with a letter.")
        email = f"{account}@{project}.iam.gserviceaccount.com"
        name = f"projects/{project}/serviceAccounts/{email}"
        unique = str(10**20 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
        given = {key: body.get("serviceAccount", {}).get(key) for key in ("displayName", "description")}
        document = {"name": name, "projectId": project, "uniqueId": unique, "email": email, "oauth2ClientId": unique}
        document |= {key: value for key, value in given.items() if value}
        with store.transaction():
            if store.get(name) is not None:
                raise ApiError("ALREADY_EXISTS", f"Service account {account} already exists within project {name}.")
            store.put(name, kind=ACCOUNT, document=document)
        return document

    @routes.get("/v1/projects/{project}/serviceAccounts")
    def list_(project: str, pageSize: str | None = None, pageToken: str | None = None) -> Document:  # noqa: N803
        found = store.list(ACCOUNT, under=f"projects/{cloud.projects.id(project)}/serviceAccounts")
        return page(found, key="accounts", size=pageSize, token=pageToken)

    @routes.get("/v1/projects/{project}/serviceAccounts/{account}")
    def get(project: str, account: str) -> Document:
        return store.get(_account_name(cloud, project, account)) or {}

    @routes.patch("/v1/projects/{project}/serviceAccounts/{account}")
    def patch(project: str, account: str, body: JsonBody) -> Document:
        fields = update_mask(None, body.get("updateMask"))
        wanted = body.get("serviceAccount", {})
        changed = {field: wanted.get(field, "") for field in fields if field in ("displayName", "description")}
        return store.update(_account_name(cloud, project, account), lambda document: document.update(changed))

    @routes.delete("/v1/projects/{project}/serviceAccounts/{account}")
    def delete(project: str, account: str) -> Document:
        name = _account_name(cloud, project, account)
        store.delete(name)
        drop_policy(store, name)
        return {}


def _add_account_policies(routes: APIRouter, cloud: LocalCloud) -> None:
    store = cloud.store

    @routes.post("/v1/projects/{project}/serviceAccounts/{account}:getIamPolicy")
    def get(project: str, account: str) -> Document:
        return get_policy(store, _account_name(cloud, project, account))

    @routes.post("/v1/projects/{project}/serviceAccounts/{account}:setIamPolicy")
    def set_(project: str, account: str, body: JsonBody) -> Document:
        return set_policy(store, _account_name(cloud, project, account), body.get("policy", {}))

    @routes.post("/v1/projects/{project}/serviceAccounts/{account}:enable")
    def enable(project: str, account: str) -> Document:
        store.update(_account_name(cloud, project, account), lambda document: document.pop("disabled", None))
        return {}

    @routes.post("/v1/projects/{project}/serviceAccounts/{account}:disable")
    def disable(project: str, account: str) -> Document:
        store.update(_account_name(cloud, project, account), lambda document: document.update(disabled=True))
        return {}


def _add_roles(routes: APIRouter, cloud: LocalCloud) -> None:
    store = cloud.store

    def named(project: str, role: str) -> str:
        return f"projects/{cloud.projects.id(project)}/roles/{role}"

    def held(project: str, role: str) -> Document:
        document = store.get(named(project, role))
        if document is None:
            raise not_found(named(project, role))
        return document

    @routes.post("/v1/projects/{project}/roles")
    def create(project: str, body: JsonBody) -> Document:
        role = str(body.get("roleId", ""))
        if not _ROLE_ID.fullmatch(role):
            raise invalid(f"Invalid role id {role!r}: 3 to 64 letters, digits, underscores and periods.")
        document = {"name": named(project, role), "stage": "GA", **body.get("role", {}), "etag": now()}
        with store.transaction():
            if store.get(document["name"]) is not None:
                raise ApiError("ALREADY_EXISTS", f"A role named {role} in projects/{project} already exists.")
            store.put(document["name"], kind=ROLE, document=document)
        return document

    @routes.get("/v1/projects/{project}/roles")
    def list_(
        project: str,
        showDeleted: bool = False,  # noqa: N803
        pageSize: str | None = None,  # noqa: N803
        pageToken: str | None = None,  # noqa: N803
    ) -> Document:
        found = store.list(ROLE, under=f"projects/{cloud.projects.id(project)}/roles")
        shown = [one for one in found if showDeleted or not one.get("deleted")]
        return page(shown, key="roles", size=pageSize, token=pageToken)

    @routes.get("/v1/projects/{project}/roles/{role}")
    def get(project: str, role: str) -> Document:
        return held(project, role)

    @routes.patch("/v1/projects/{project}/roles/{role}")
    def patch(project: str, role: str, body: JsonBody, updateMask: str | None = None) -> Document:  # noqa: N803
        held(project, role)
        fields = update_mask(updateMask) or [camel(field) for field in body]
        changed = {field: body[field] for field in fields if field in body}
        return store.update(named(project, role), lambda document: document.update(changed))

    @routes.delete("/v1/projects/{project}/roles/{role}")
    def delete(project: str, role: str) -> Document:
        """Google keeps a deleted role for a week, and its id longer."""
        held(project, role)
        return store.update(named(project, role), lambda document: document.update(deleted=True))

    @routes.post("/v1/projects/{project}/roles/{role}:undelete")
    def undelete(project: str, role: str) -> Document:
        held(project, role)
        return store.update(named(project, role), lambda document: document.pop("deleted", None))


def _add_projects(routes: APIRouter, cloud: LocalCloud) -> None:
    store = cloud.store

    @routes.post("/v1/projects/{project}:getIamPolicy")
    @routes.post("/v3/projects/{project}:getIamPolicy")
    def get_project_policy(project: str) -> Document:
        return get_policy(store, f"projects/{cloud.projects.id(project)}")

    @routes.post("/v1/projects/{project}:setIamPolicy")
    @routes.post("/v3/projects/{project}:setIamPolicy")
    def set_project_policy(project: str, body: JsonBody) -> Document:
        return set_policy(store, f"projects/{cloud.projects.id(project)}", body.get("policy", {}))

    @routes.get("/v1/projects/{project}")
    def get_project(project: str) -> Document:
        name = cloud.projects.id(project)
        return {
            "projectId": name,
            "projectNumber": cloud.projects.number(name),
            "name": name,
            "lifecycleState": "ACTIVE",
        }

    @routes.get("/v3/projects/{project}")
    def get_project_v3(project: str) -> Document:
        name = cloud.projects.id(project)
        number = cloud.projects.number(name)
        return {"name": f"projects/{number}", "projectId": name, "displayName": name, "state": "ACTIVE"}
