"""Resources by name, as JSON documents in one SQLite file, so that they survive a restart.

A document has a name (`projects/p/locations/l/models/m`) and a kind (`model`). The store knows
nothing of any API, of project numbers, or of what a document means.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]
builtins_list = list  # `Store.list` hides the name inside the class


class Store:
    """Thread-safe; a write survives the end of this process, a kill too, when the call returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")  # an fsync per write only guards against a power cut
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS documents ("
            " name TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, seq INTEGER NOT NULL)"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS documents_by_kind ON documents (kind, seq)")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Holds the store for one read-decide-write; an exception undoes its writes."""
        with self._lock:
            if self._db.in_transaction:  # nested: the outermost one decides
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def get(self, name: str) -> Document | None:
        with self._lock:
            row = self._db.execute("SELECT body FROM documents WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, name: str, *, kind: str, document: Document) -> None:
        """Creates or replaces the document. A replaced one keeps its place in `list`."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO documents (name, kind, body, seq)"
                " VALUES (?, ?, ?, (SELECT COALESCE(MAX(seq), 0) + 1 FROM documents))"
                " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, body = excluded.body",
                (name, kind, json.dumps(document)),
            )

    def update(self, name: str, change: Callable[[Document], None]) -> Document:
        """Applies `change` to the document in one transaction. KeyError when it is gone."""
        with self.transaction():
            row = self._db.execute("SELECT kind, body FROM documents WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise KeyError(name)
            document: Document = json.loads(row[1])
            change(document)
            self.put(name, kind=row[0], document=document)
            return document

    def delete(self, name: str) -> bool:
        with self.transaction():
            return self._db.execute("DELETE FROM documents WHERE name = ?", (name,)).rowcount > 0

    def list(self, kind: str, *, under: str = "") -> list[Document]:
        """All documents of a kind, oldest first; `under` keeps those whose name starts with it and a slash."""
        query = "SELECT body FROM documents WHERE kind = ?"
        arguments: builtins_list[str | int] = [kind]
        if under:
            query += " AND substr(name, 1, ?) = ?"
            prefix = under.rstrip("/") + "/"
            arguments += [len(prefix), prefix]
        with self._lock:
            rows = self._db.execute(query + " ORDER BY seq", arguments).fetchall()
        return [json.loads(body) for (body,) in rows]

    def names(self) -> builtins_list[str]:
        with self._lock:
            return [name for (name,) in self._db.execute("SELECT name FROM documents ORDER BY seq")]

    def count_by_kind(self) -> dict[str, int]:
        with self._lock:
            return dict(self._db.execute("SELECT kind, COUNT(*) FROM documents GROUP BY kind ORDER BY kind").fetchall())

    def close(self) -> None:
        with self._lock:
            self._db.close()
