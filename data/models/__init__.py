"""The tables, one module per group of DESIGN.md's "What is held"."""

from data.models.base import Base
from data.models.ground import Address, Block, Building, HouseholdUnit, Railway, Street, Water
from data.models.people import DutyRoster, Leave, Person, ServiceArea, Unit
from data.models.plan import (
    Checkpoint,
    DraftBlock,
    DraftCommunity,
    DraftFormer,
    DraftGrid,
    DraftNote,
    Edit,
    Generation,
    Grid,
    GridBlock,
    GridCell,
    Lineage,
    MicroGrid,
    MicroGridBuilding,
    ReviewStep,
)
from data.models.responsibility import (
    DirectoryVersion,
    Membership,
    Responsibility,
    ResponsibilityChange,
)
from data.models.roads import Closure, RoadSpeed, RoadVersion
from data.models.rules import IncidentClass, Profile, ResponsibilityRule, Role, Team
from data.models.territory import Division, Zone
from data.models.trust import Account, AuditLog, LoginSession, RoleGrant
from data.models.work import AssignJob, Assignment, Dispatch, Incident, IncidentEvent, Position

__all__ = [
    "Account",
    "Address",
    "AssignJob",
    "Assignment",
    "AuditLog",
    "Base",
    "Block",
    "Building",
    "Checkpoint",
    "Closure",
    "DirectoryVersion",
    "Dispatch",
    "Division",
    "DraftBlock",
    "DraftCommunity",
    "DraftFormer",
    "DraftGrid",
    "DraftNote",
    "DutyRoster",
    "Edit",
    "Generation",
    "Grid",
    "GridBlock",
    "GridCell",
    "HouseholdUnit",
    "Incident",
    "IncidentClass",
    "IncidentEvent",
    "Leave",
    "Lineage",
    "LoginSession",
    "Membership",
    "MicroGrid",
    "MicroGridBuilding",
    "Person",
    "Position",
    "Profile",
    "Railway",
    "Responsibility",
    "ResponsibilityChange",
    "ResponsibilityRule",
    "ReviewStep",
    "RoadSpeed",
    "RoadVersion",
    "Role",
    "RoleGrant",
    "ServiceArea",
    "Street",
    "Team",
    "Unit",
    "Water",
    "Zone",
]
