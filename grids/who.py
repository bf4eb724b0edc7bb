"""Who: given a place, a class of incident and a time, the grid and everyone responsible, and why.

A directory is loaded once for a generation of the plan and answers in process, without the
database. It is never changed: another takes its place.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from data.errors import StateError
from grids.card_layout import CardLayout
from grids.places import Candidate, GridFacts, Places, Where
from grids.responsibility import Holder, Inquiry, LeftOut, Staff, StaffAnswer, Step, answer

__all__ = ["Directory", "WhoAnswer"]

# Beyond it local time cannot be told from the calendar's last day.
_LAST_YEAR = 2200


@dataclass(frozen=True, slots=True)
class WhoAnswer:
    """The answer for one place: `where` it lies, and the `staff` that answers for it."""

    where: Where
    staff: StaffAnswer

    @property
    def grid(self) -> GridFacts | None:
        """None outside every grid."""
        return self.where.grid

    @property
    def micro_grid(self) -> str | None:
        """Code of the micro-grid, where the grid has been divided."""
        return self.where.micro_grid

    @property
    def on_boundary(self) -> tuple[str, ...]:
        """Codes of the other grids on whose edge the place lies, or that share its building."""
        return self.where.others

    @property
    def ambiguous(self) -> bool:
        """Whether the place may lie in another grid, or in none."""
        return self.where.ambiguous

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What grids an uncertain place may lie in."""
        return self.where.candidates

    @property
    def reason(self) -> str:
        """How the grid is known."""
        return self.where.reason

    @property
    def people(self) -> tuple[Holder, ...]:
        """Everyone responsible, A before B."""
        return self.staff.people

    @property
    def lead(self) -> Holder | None:
        """Who is asked first."""
        return self.staff.lead

    @property
    def trace(self) -> tuple[Step, ...]:
        """Which rule spoke."""
        return self.staff.trace

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Holders who cannot answer, and why."""
        return self.staff.left_out

    def first(self, role: str) -> Holder | None:
        """First holder of a role, A before B."""
        return next((person for person in self.people if person.role == role), None)


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything that "who" needs of a county while one generation of its plan holds.

    `layout` is what its contact cards show.
    """

    places: Places
    staff: Staff
    layout: CardLayout = field(default_factory=CardLayout)

    def answer(
        self,
        lon: float,
        lat: float,
        *,
        radius_m: float = 0.0,
        class_code: str | None = None,
        owner: str | None = None,
        address: str | None = None,
        at: datetime | None = None,
    ) -> WhoAnswer:
        """Answer for one place (degrees, EPSG:4326).

        Parameters
        ----------
        radius_m : float
            How far off the place may be.
        class_code : str, optional
            Class of incident; everybody is named without one.
        owner : str, optional
            Name of the unit that owns the thing; that of a dedicated grid by default.
        address : str, optional
            A standard address: where its grid is known, that is the grid.
        at : datetime, optional
            Now by default; within the generation.

        Raises
        ------
        GeometryError
            If the radius is negative or a number is not finite.
        NotFoundError
            If the class is unknown.
        StateError
            If another generation of the plan held then.
        """
        moment = at or datetime.now(UTC)
        self.require(moment)
        where = self.places.where(lon, lat, radius_m=radius_m, address=address)
        grid = where.grid
        known = owner or (grid.owner if grid else None)
        kind = grid.kind if grid else None
        inquiry = Inquiry(where.areas, kind, moment, class_code, known)
        return WhoAnswer(where, answer(self.staff, inquiry))

    def holds(self, moment: datetime) -> bool:
        """Whether the generation holds at a moment."""
        ends = self.places.ends
        return self.places.begins <= moment and (ends is None or moment < ends)

    def require(self, moment: datetime) -> None:
        """Refuse a moment at which another generation held, or that cannot be meant."""
        if moment.year > _LAST_YEAR:
            raise StateError(f"the year {moment.year} cannot be meant")
        if not self.holds(moment):
            raise StateError(
                f"this plan holds from {self.places.begins:%Y-%m-%d %H:%M} "
                f"to {self.places.ends or 'now on'}, not at {moment:%Y-%m-%d %H:%M}"
            )
