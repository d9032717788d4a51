"""The workspace's records in SQLite: JSON documents by kind and id, and links between them.

SQLite holds the truth; what was read is kept decoded until it changes. Records handed out are shared: save a changed
copy instead of changing them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import DoneAnyway, WorkspaceFileError

Record = dict[str, Any]
Link = tuple[str, str, dict[str, Any]]
_Rows = dict[str, tuple[int, Record]]

_TABLES = """
CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL,
                                    data TEXT NOT NULL, UNIQUE (kind, id));
CREATE INDEX IF NOT EXISTS records_by_kind ON records (kind, seq);
CREATE TABLE IF NOT EXISTS links (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL,
                                  data TEXT NOT NULL DEFAULT '{}', UNIQUE (kind, a, b));
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# "TPsb": marks a file as a workspace of this sandbox, so that no other program's database is ever written to.
_APPLICATION = 0x54507362
_LINK = """
INSERT INTO links (kind, a, b, data) VALUES (?, ?, ?, ?) ON CONFLICT (kind, a, b) DO UPDATE SET data = excluded.data
"""


class _Links:
    """The links of one kind, from both ends, in the order of linking."""

    def __init__(self, rows: Iterable[tuple[str, str, str]]) -> None:
        self.forth: dict[str, dict[str, dict[str, Any]]] = {}
        self.back: dict[str, list[str]] = {}
        for a, b, data in rows:
            self.forth.setdefault(a, {})[b] = json.loads(data)
            self.back.setdefault(b, []).append(a)


class Store:
    """Documents and links, safe to share between threads.

    A file belongs to one process at a time, since what was read is kept; what was committed survives the process
    however it ends. Raises WorkspaceFileError when the file cannot be used.
    """

    def __init__(self, database: str = ":memory:") -> None:
        self.in_memory = database == ":memory:"
        self._connection = _open(database)
        self.close = weakref.finalize(self, self._connection.close)
        self._lock = threading.RLock()
        self._depth = 0
        self._forget()

    def _forget(self) -> None:
        self._kinds: dict[str, _Rows] = {}
        self._indexes: dict[tuple[str, str], dict[Any, list[str]]] = {}
        self._links: dict[str, _Links] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or, when an exception leaves the block (DoneAnyway apart), nothing. They nest; the outermost decides."""
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._connection.execute("BEGIN")
                yield
            except DoneAnyway:
                if self._depth == 1:
                    self._connection.execute("COMMIT")
                raise
            except BaseException:
                if self._depth == 1:
                    self._connection.execute("ROLLBACK")
                    self._forget()
                raise
            else:
                if self._depth == 1:
                    self._connection.execute("COMMIT")
            finally:
                self._depth -= 1

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A part of a transaction that may fail alone: when an exception leaves the block, nothing of it stays."""
        with self.transaction():
            name, written = f"attempt_{self._depth}", self._connection.total_changes
            self._connection.execute(f"SAVEPOINT {name}")
            try:
                yield
            except DoneAnyway:
                raise
            except BaseException:
                if self._connection.total_changes > written:
                    self._connection.execute(f"ROLLBACK TO {name}")
                    self._forget()
                raise
            finally:
                self._connection.execute(f"RELEASE {name}")

    def snapshot(self) -> bytes:
        """All that is in it, for `restore`. Only in memory, since a file's says that it has a log beside it."""
        with self._lock:
            return self._connection.serialize()

    def restore(self, snapshot: bytes) -> None:
        """What a snapshot holds in place of everything. Only in memory: SQLite copies nothing over a file that is ours alone."""
        with self._lock:
            source = sqlite3.connect(":memory:")
            try:
                source.deserialize(snapshot)
                source.backup(self._connection)
            finally:
                source.close()
                self._forget()

    def state(self, name: str) -> Any:
        """What was kept under a name beside the records (clock, seed); None when nothing was."""
        with self._lock:
            row = self._connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
            return json.loads(row[0]) if row else None

    def keep(self, name: str, value: Any) -> None:
        """Keep a value beside the records."""
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", (name, json.dumps(value)))

    def is_empty(self) -> bool:
        """Whether nothing was ever stored (a database file may hold a workspace from an earlier run)."""
        return self._connection.execute("SELECT 1 FROM records LIMIT 1").fetchone() is None

    def clear(self) -> None:
        """Start from an empty workspace."""
        with self.transaction():
            for table in ("records", "links", "state", "sqlite_sequence"):
                self._connection.execute(f"DELETE FROM {table}")
            self._forget()

    def add(self, kind: str, records: Iterable[Record]) -> None:
        """Insert records; each has an `id`."""
        with self.transaction():
            known = self._kinds.get(kind)
            for record in records:
                text = json.dumps(record)
                sql = "INSERT INTO records (kind, id, data) VALUES (?, ?, ?)"
                sequence = self._connection.execute(sql, (kind, record["id"], text)).lastrowid
                if known is not None:
                    known[record["id"]] = (sequence or 0, json.loads(text))
            self._drop_indexes(kind)

    def get(self, kind: str, record_id: str) -> Record | None:
        with self._lock:
            found = self._rows(kind).get(record_id)
            return found[1] if found else None

    def save(self, kind: str, record: Record) -> None:
        """Replace a record that exists."""
        with self.transaction():
            rows = self._rows(kind)
            if record["id"] not in rows:
                return
            text = json.dumps(record)
            self._connection.execute("UPDATE records SET data = ? WHERE kind = ? AND id = ?", (text, kind, record["id"]))
            rows[record["id"]] = (rows[record["id"]][0], json.loads(text))
            self._drop_indexes(kind)

    def delete(self, kind: str, record_id: str) -> bool:
        """Delete a record; whether there was one. Its links are the caller's to remove."""
        with self.transaction():
            known = self._rows(kind).pop(record_id, None) is not None
            self._connection.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, record_id))
            self._drop_indexes(kind)
            return known

    def all(self, kind: str, /, **equal: Any) -> list[Record]:
        """Records of a kind whose fields equal the given values, newest first."""
        return [r for _, r in self.numbered(kind, **equal)]

    def numbered(self, kind: str, /, **equal: Any) -> list[tuple[int, Record]]:
        """Like `all`, each with its sequence number, which orders pages stably."""
        with self._lock:
            rows = self._rows(kind)
            if not equal:
                return list(reversed(rows.values()))
            (name, value), *others = equal.items()
            found = (rows[i] for i in reversed(self._index(kind, name).get(value, ())))
            return [row for row in found if all(row[1].get(n) == v for n, v in others)]

    def link(self, kind: str, a: str, b: str, **data: Any) -> None:
        """Connect a and b; linking twice changes nothing but the data."""
        self.link_many(kind, [(a, b, data)])

    def link_many(self, kind: str, pairs: Iterable[Link]) -> None:
        with self.transaction():
            self._connection.executemany(_LINK, [(kind, a, b, json.dumps(data)) for a, b, data in pairs])
            self._links.pop(kind, None)

    def unlink(self, kind: str, a: str, b: str) -> int:
        """Remove a link; how many there were."""
        with self.transaction():
            self._links.pop(kind, None)
            sql = "DELETE FROM links WHERE kind = ? AND a = ? AND b = ?"
            return self._connection.execute(sql, (kind, a, b)).rowcount

    def unlink_everywhere(self, record_id: str) -> None:
        """Remove every link that names a deleted record."""
        with self.transaction():
            self._links.clear()
            self._connection.execute("DELETE FROM links WHERE a = ? OR b = ?", (record_id, record_id))

    def linked(self, kind: str, a: str) -> list[tuple[str, dict[str, Any]]]:
        """What a is linked to, in the order of linking, with each link's data."""
        with self._lock:
            return list(self._of(kind).forth.get(a, {}).items())

    def linking(self, kind: str, b: str) -> list[str]:
        """What is linked to b."""
        with self._lock:
            return list(self._of(kind).back.get(b, ()))

    def _rows(self, kind: str) -> _Rows:
        if kind not in self._kinds:
            rows = self._connection.execute("SELECT seq, id, data FROM records WHERE kind = ? ORDER BY seq", (kind,))
            self._kinds[kind] = {record_id: (seq, json.loads(data)) for seq, record_id, data in rows}
        return self._kinds[kind]

    def _index(self, kind: str, name: str) -> dict[Any, list[str]]:
        if (kind, name) not in self._indexes:
            index: dict[Any, list[str]] = {}
            for record_id, (_, record) in self._rows(kind).items():
                if isinstance(value := record.get(name), (str, int, float, bool, type(None))):
                    index.setdefault(value, []).append(record_id)
            self._indexes[(kind, name)] = index
        return self._indexes[(kind, name)]

    def _drop_indexes(self, kind: str) -> None:
        for key in [k for k in self._indexes if k[0] == kind]:
            del self._indexes[key]

    def _of(self, kind: str) -> _Links:
        if kind not in self._links:
            rows = self._connection.execute("SELECT a, b, data FROM links WHERE kind = ? ORDER BY seq", (kind,))
            self._links[kind] = _Links(rows)
        return self._links[kind]


def _open(database: str) -> sqlite3.Connection:
    """The connection to a workspace, its tables made where they are missing."""
    where = "in memory" if database == ":memory:" else f"in the file {database}"
    try:
        connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None, timeout=1.0)
        try:
            if database != ":memory:":
                _own(connection, database)
            connection.executescript(_TABLES)
        except BaseException:
            connection.close()
            raise
        return connection
    except sqlite3.Error as error:
        raise WorkspaceFileError(f"no workspace can be kept {where}: {_reason(database, error)}") from None


def _own(connection: sqlite3.Connection, database: str) -> None:
    """Take the file for this process alone, as a write-ahead log: a commit outlives a killed process and costs no fsync."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found != _APPLICATION and (found or tables):
        raise WorkspaceFileError(f"the file {database} is a database of another program; name another file for the workspace")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute("COMMIT")


def _reason(database: str, error: sqlite3.Error) -> str:
    if "locked" in str(error):
        return "another process has it open; stop that one or name another file"
    if not Path(database).absolute().parent.is_dir():
        return f"the folder {Path(database).absolute().parent} does not exist"
    return f"{error}; name a new file or one that the sandbox made"
