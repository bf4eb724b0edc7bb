"""Floor 3: who looks after where; blocks, partition, plans, codes, responsibilities, cards.

`blocks`, `borders`, `partition` and `responsibility` are pure; `plan` draws and checks, `publish`
publishes; `directory` loads what `who` answers from: a place's grid (`places`) and everyone
responsible; `assign` does so for tables and for all incidents.
"""
