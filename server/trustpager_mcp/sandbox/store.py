"""The workspace's records in SQLite: JSON documents by kind and id, and links between them."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from typing import Any

Record = dict[str, Any]

_TABLES = """
CREATE TABLE records (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL,
                      UNIQUE (kind, id));
CREATE INDEX records_by_kind ON records (kind, seq);
CREATE TABLE links (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL,
                    data TEXT NOT NULL DEFAULT '{}', UNIQUE (kind, a, b));
CREATE INDEX links_by_b ON links (kind, b);
"""


class Store:
    """Documents and links. Every method is one transaction; safe to share between threads."""

    def __init__(self, database: str = ":memory:") -> None:
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Start from an empty workspace."""
        with self._lock:
            self._connection.executescript("DROP TABLE IF EXISTS records; DROP TABLE IF EXISTS links;" + _TABLES)

    def add(self, kind: str, records: Iterable[Record]) -> None:
        """Insert records; each has an `id`."""
        rows = [(kind, r["id"], json.dumps(r)) for r in records]
        self._many("INSERT INTO records (kind, id, data) VALUES (?, ?, ?)", rows)

    def get(self, kind: str, record_id: str) -> Record | None:
        rows = self._read("SELECT data FROM records WHERE kind = ? AND id = ?", (kind, record_id))
        return json.loads(rows[0][0]) if rows else None

    def save(self, kind: str, record: Record) -> None:
        """Replace a record that exists."""
        self._write("UPDATE records SET data = ? WHERE kind = ? AND id = ?", (json.dumps(record), kind, record["id"]))

    def delete(self, kind: str, record_id: str) -> bool:
        """Delete a record; whether there was one. Its links are the caller's to remove."""
        return self._write("DELETE FROM records WHERE kind = ? AND id = ?", (kind, record_id)) > 0

    def all(self, kind: str, **equal: Any) -> list[Record]:
        """Records of a kind whose fields equal the given values, newest first."""
        return [r for _, r in self.numbered(kind, **equal)]

    def numbered(self, kind: str, **equal: Any) -> list[tuple[int, Record]]:
        """Like `all`, each with its sequence number, which orders pages stably."""
        wheres = "".join(f" AND json_extract(data, '$.{name}') = ?" for name in equal)
        sql = f"SELECT seq, data FROM records WHERE kind = ?{wheres} ORDER BY seq DESC"
        return [(seq, json.loads(data)) for seq, data in self._read(sql, (kind, *equal.values()))]

    def link(self, kind: str, a: str, b: str, **data: Any) -> None:
        """Connect a and b; linking twice changes nothing but the data."""
        self.link_many(kind, [(a, b, data)])

    def link_many(self, kind: str, pairs: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        rows = [(kind, a, b, json.dumps(data)) for a, b, data in pairs]
        sql = "INSERT INTO links (kind, a, b, data) VALUES (?, ?, ?, ?) ON CONFLICT (kind, a, b) DO UPDATE SET data = excluded.data"
        self._many(sql, rows)

    def unlink(self, kind: str, a: str, b: str | None = None) -> int:
        """Remove one link, or all links of a; how many there were."""
        if b is None:
            return self._write("DELETE FROM links WHERE kind = ? AND a = ?", (kind, a))
        return self._write("DELETE FROM links WHERE kind = ? AND a = ? AND b = ?", (kind, a, b))

    def unlink_everywhere(self, record_id: str) -> None:
        """Remove every link that names a deleted record."""
        self._write("DELETE FROM links WHERE a = ? OR b = ?", (record_id, record_id))

    def linked(self, kind: str, a: str) -> list[tuple[str, dict[str, Any]]]:
        """What a is linked to, in the order of linking, with each link's data."""
        rows = self._read("SELECT b, data FROM links WHERE kind = ? AND a = ? ORDER BY seq", (kind, a))
        return [(b, json.loads(data)) for b, data in rows]

    def linking(self, kind: str, b: str) -> list[str]:
        """What is linked to b."""
        return [a for (a,) in self._read("SELECT a FROM links WHERE kind = ? AND b = ? ORDER BY seq", (kind, b))]

    def _read(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _write(self, sql: str, values: tuple[Any, ...]) -> int:
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    def _many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany(sql, rows)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
