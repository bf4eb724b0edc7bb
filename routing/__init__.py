"""Floor 4: who goes, and how; the road network, travel times, dispatch.

`building` makes a city's road `network` from a local file with osmnx, once; `hierarchy` and
`kernels` are the compiled engines over it. `travel` answers ways and times, `fleet` who is there
first, `isochrone` and `coverage` what is within reach, `assignment` who goes where when several
wait. `live` is the shell that follows the database's closures and speeds; `dispatch` recommends
and sends.
"""
