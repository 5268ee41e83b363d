"""Payloads of the streams of one's own transactions and automations."""

from __future__ import annotations

from codec.feeds.shuriken.payloads_base import Payload

__all__ = ["AutomationUpdate", "PortfolioNotification"]


class PortfolioNotification(Payload, frozen=True, kw_only=True):
    """Something became of a task (portfolio.notifications).

    type: what kind of task ("swap", "transfer", "approval", "automation", "strategy",
    "claim", "cleanup", "svmNonce", "crosschainSwap", "perpsOrder", or one that is
    newer). task_id, root_task_id (strategies), claim_id (claims): which one. chain_id:
    of swaps.
    """

    type: str
    user_id: str
    task_id: str | None = None
    root_task_id: str | None = None
    claim_id: str | None = None
    chain_id: int | None = None


class AutomationUpdate(PortfolioNotification, frozen=True, kw_only=True):
    """Something became of an automation (automation.updates): of its task
    ("automation"), its strategy ("strategy") or an order it gave ("swap")."""
