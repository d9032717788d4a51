"""What stands between an agent and the API beside the policy: the human gate, the credit budget, the audit log."""

from __future__ import annotations

from dataclasses import dataclass, field

from .audit import AuditLog
from .credits import Budget
from .gate import Gate


@dataclass(frozen=True)
class Safeguards:
    """Shared by all sessions of an App, since what was spent and confirmed outlives a session. By default all are open."""

    gate: Gate = field(default_factory=Gate)
    budget: Budget = field(default_factory=Budget)
    audit: AuditLog = field(default_factory=AuditLog)
