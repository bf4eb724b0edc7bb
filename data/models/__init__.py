"""The tables, one module per group of DESIGN.md's "What is held"."""

from data.models.base import Base
from data.models.ground import Address, Block, Building, HouseholdUnit, Railway, Street, Water
from data.models.people import Person, Responsibility, ServiceArea, Unit
from data.models.plan import (
    Edit,
    Generation,
    Grid,
    GridBlock,
    GridCell,
    Lineage,
    MicroGrid,
    MicroGridBuilding,
)
from data.models.rules import IncidentClass, Profile
from data.models.territory import Division, Zone
from data.models.trust import Account, AuditLog, LoginSession, RoleGrant
from data.models.work import Assignment, Dispatch, Incident, IncidentEvent, Position

__all__ = [
    "Account",
    "Address",
    "Assignment",
    "AuditLog",
    "Base",
    "Block",
    "Building",
    "Dispatch",
    "Division",
    "Edit",
    "Generation",
    "Grid",
    "GridBlock",
    "GridCell",
    "HouseholdUnit",
    "Incident",
    "IncidentClass",
    "IncidentEvent",
    "Lineage",
    "LoginSession",
    "MicroGrid",
    "MicroGridBuilding",
    "Person",
    "Position",
    "Profile",
    "Railway",
    "Responsibility",
    "RoleGrant",
    "ServiceArea",
    "Street",
    "Unit",
    "Water",
    "Zone",
]
