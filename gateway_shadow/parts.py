"""What the routes share: made once by the composition root, and found on the app."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from gateway_shadow.alerting.sending import Sender
from gateway_shadow.auth import Doorkeeper
from gateway_shadow.belonging import Belongings
from gateway_shadow.checks.breaker import Breaker
from gateway_shadow.checks.checking import Checker
from gateway_shadow.checks.held_calls import HeldCalls
from gateway_shadow.checks.recording import Recorder
from gateway_shadow.checks.ruling import Rules
from gateway_shadow.config import Config
from gateway_shadow.exports.room import ExportRoom
from gateway_shadow.live.back import Past
from gateway_shadow.live.consumer import Live
from gateway_shadow.live.looks import Looks
from gateway_shadow.log_writer import LogWriter
from gateway_shadow.login.parts import Login
from gateway_shadow.outages import Outages
from gateway_shadow.pages.ledger_versions import Versions
from gateway_shadow.pages.seen import Seen
from gateway_shadow.pages.tallies import Tallies
from gateway_shadow.privacy.office import Privacy
from gateway_shadow.simulations.runner import Runner
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.signing import Signer
from spendgate.ledger.call_index import CallIndex
from spendgate.prices.book import PriceBook
from window_counters.levels import Levels


@dataclass
class Parts:
    """One process's parts. ``stopping``: set once no new request is taken; streams end then."""

    config: Config
    database: Database
    changes: Changes
    signer: Signer
    keeper: Doorkeeper
    writer: LogWriter
    book: PriceBook
    recorder: Recorder
    checker: Checker | None
    levels: Levels | None
    enforcer: Rules | None
    held: HeldCalls
    breaker: Breaker
    live: Live
    past: Past
    runner: Runner
    login: Login
    looks: Looks
    alert_sender: Sender
    privacy: Privacy
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    exports: ExportRoom = field(default_factory=ExportRoom)
    outages: Outages = field(default_factory=Outages)
    tallies: Tallies = field(default_factory=Tallies)
    seen: Seen = field(default_factory=Seen)
    drafted: Versions = field(default_factory=Versions)
    calls: CallIndex = field(default_factory=CallIndex)
    belongings: Belongings = field(default_factory=Belongings)


def shared(request: Request) -> Parts:
    """The parts of the app that a request came to."""
    parts: Parts = request.app.state.parts
    return parts


async def _parts(request: Request) -> Parts:  # a plain one would be run in a thread, for every request
    return shared(request)


Shared = Annotated[Parts, Depends(_parts)]
