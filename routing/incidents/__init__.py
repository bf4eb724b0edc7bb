"""Incidents in the database: taken in, carried through their flow, timed, told of.

`intake` takes reports, `course` makes transitions with what they bring about (`effects`),
`timing` keeps deadlines, `timers` does what time brings, `notices` tells whom it concerns,
`rules` reads what a county has decided and `configuring` changes it. `tables` and `photos` take
in more, `similar` and `clustering` find what belongs together, `overview`, `inbox`, `published`
and `ledger` tell of it, `delivery` carries notices out. The engine beneath is `routing.lifecycle`.
"""

from routing.incidents.course import Doer, options_of, transit
from routing.incidents.intake import KnownPlace, Report, known_address, report_incident
from routing.incidents.rules import HandlingRules, load_rules
from routing.incidents.sending import send

__all__ = [
    "Doer",
    "HandlingRules",
    "KnownPlace",
    "Report",
    "known_address",
    "load_rules",
    "options_of",
    "report_incident",
    "send",
    "transit",
]
