"""Incidents in the database: taken in, carried through their flow, timed, told of.

`intake` takes reports, `course` makes transitions with what they bring about (`effects`),
`timing` keeps deadlines, `timers` does what time brings, `notices` tells whom it concerns,
`rules` reads what a county has decided and `configuring` changes it. `tables` and `photos` take
in more, `similar` and `clustering` find what belongs together, `overview`, `inbox`, `published`
and `ledger` tell of it, `delivery` carries notices out. The engine beneath is `routing.lifecycle`.
"""
