"""Address text: normalized, taken apart into components, and looked up; pure.

`parse` knows Chinese standard and spoken addresses and plain ones of house number and street.
An `AddressTable` holds the known addresses of a county; `look_up` finds the area of a typed one,
or the question that decides, and `suggest` what somebody may be about to type.
"""

from gis.address.components import KINDS, LEVELS, Address, Component
from gis.address.entry import Entry, entry_of
from gis.address.found import Areas, Lookup, Option
from gis.address.lookup import look_up
from gis.address.normalize import normalize
from gis.address.numbers import SLOTS, Numbers
from gis.address.parsing import parse
from gis.address.suggest import Suggestion, suggest
from gis.address.table import AddressTable
from gis.address.table_building import TableBuilder
from gis.address.table_columns import TableColumns, TableFacts

__all__ = [
    "KINDS",
    "LEVELS",
    "SLOTS",
    "Address",
    "AddressTable",
    "Areas",
    "Component",
    "Entry",
    "Lookup",
    "Numbers",
    "Option",
    "Suggestion",
    "TableBuilder",
    "TableColumns",
    "TableFacts",
    "entry_of",
    "look_up",
    "normalize",
    "parse",
    "suggest",
]
