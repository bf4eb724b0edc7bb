"""Floor 2: what is held; schema and migrations, sessions, the private cluster, file readers.

`settings` and `database` open the store, `cluster` runs a private PostGIS, `models` are the
tables, `importing` brings files in and returns every refused row, `demo` makes a city.
"""

from data.database import Database, open_database
from data.settings import Settings

__all__ = ["Database", "Settings", "open_database"]
