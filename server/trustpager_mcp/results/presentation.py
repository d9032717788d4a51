"""How a server shows answers: its limits, zone, kept results and downloads; from it comes the view of one answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..definitions import Entity, Tool
from ..shaping.view import Detail, Format, Limits, View, once
from .downloads import Downloads
from .store import ResultStore


@dataclass(frozen=True)
class Presentation:
    """Shared by all sessions of a server. `zone` is an IANA name, None keeps UTC."""

    limits: Limits = field(default_factory=Limits)
    zone: str | None = None
    store: ResultStore = field(default_factory=ResultStore)
    downloads: Downloads | None = None

    def view(
        self,
        tool: Tool,
        entity: Entity | None,
        owner: str,
        *,
        fields: tuple[str, ...] = (),
        detail: Detail = "concise",
        format: Format = "table",
        sent: tuple[str, ...] = (),
    ) -> View:
        """The view of one answer to `owner`'s call."""
        return View(
            tool,
            entity,
            fields=fields,
            detail=detail,
            format=format,
            limits=self.limits,
            zone=self.zone,
            sent=sent,
            keep=once(lambda spilled: self.store.keep(owner, spilled)),
            save=self.downloads.save if self.downloads else None,
        )
