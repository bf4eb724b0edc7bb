"""Floor 2: what is held; schema and migrations, sessions, the private cluster, file readers.

`settings` and `database` open the store, `cluster` runs a private PostGIS, `models` are the
tables, `importing` brings files in and returns every refused row, `demo` makes a city. None of
them is imported here: a converter that reads one photo needs no database.
"""

from data.gdal import narrow

# Before anybody loads GDAL, whose drivers are chosen once.
narrow()
