"""Address text: normalized, taken apart into components, and compared; pure.

`parse` knows Chinese standard and spoken addresses and plain ones of house number and street.
"""

from gis.address.components import KINDS, LEVELS, Address, Component
from gis.address.normalize import normalize
from gis.address.parsing import parse

__all__ = ["KINDS", "LEVELS", "Address", "Component", "normalize", "parse"]
