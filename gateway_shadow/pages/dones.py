"""What a page says after a form was taken, by the word in its address: nothing else can be said so."""

DONES: dict[str, str] = {
    "drafted": "The draft is saved. Nothing is staged by it, and nothing is blocked.",
    "submitted": "It is submitted. An approver who is not its author says yes or no.",
    "shadow": "It is in shadow: every call is judged by it from now on, and none is blocked.",
    "declined": "It is declined, or taken back.",
    "retired": "It has ended.",
    "answered": "The review is answered.",
    "claimed": "The review is yours for 30 minutes.",
    "open": "The review is open for others again.",
    "asked": "It is asked for. Another operator has an hour to confirm it.",
    "on": "It is on.",
    "off": "It is off. Every process obeys within two seconds.",
    "withdrawn": "The request is withdrawn.",
    "waived": "The criterion is waived for this staging.",
    "saved": "It is saved.",
    "revoked": "It has ended; every process obeys within two seconds.",
    "removed": "The target is forgotten; what waited for it is not sent any more.",
    "resent": "The alert is sent again, under the same id.",
    "cancelled": "The simulation is cancelled.",
}
