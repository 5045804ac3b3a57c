"""IAM policies of any resource: read, and written under their etag.

A policy is a document beside the resource it belongs to. Knows nothing of who may do what.
Source: google.iam.v1.Policy.
"""

from __future__ import annotations

import base64
import hashlib
import json

from localcloud.errors import ApiError
from localcloud.store import Document, Store

KIND = "policy"


def _key(resource: str) -> str:
    return f"policy/{resource}"


def _etag(policy: Document) -> str:
    text = json.dumps(policy.get("bindings", []), sort_keys=True)
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def get_policy(store: Store, resource: str) -> Document:
    """The policy with its etag; an empty one where none was ever set."""
    held = store.get(_key(resource)) or {}
    policy: Document = {"version": held.get("version", 1), "etag": _etag(held)}
    if held.get("bindings"):
        policy["bindings"] = held["bindings"]
    return policy


def set_policy(store: Store, resource: str, policy: Document, *, stale: str = "ABORTED") -> Document:
    """Replaces the policy. ApiError when the etag sent is not the current one (`stale`: its code)."""
    with store.transaction():
        current = get_policy(store, resource)
        if policy.get("etag") and policy["etag"] != current["etag"]:
            raise ApiError(stale, "There were concurrent policy changes. Please retry the whole read-modify-write.")
        bindings = [binding for binding in policy.get("bindings", []) if binding.get("members")]
        if bindings:
            document = {"version": policy.get("version", 1), "bindings": bindings}
            store.put(_key(resource), kind=KIND, document=document)
        else:
            store.delete(_key(resource))
    return get_policy(store, resource)


def drop_policy(store: Store, resource: str) -> None:
    """The policy goes with its resource."""
    store.delete(_key(resource))
