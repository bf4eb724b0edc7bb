"""The worker: procrastinate jobs in the same PostgreSQL."""

import procrastinate
from sqlalchemy import text

from data.database import Database
from data.positions import place_demo_staff, purge_positions
from data.settings import DEMO_COUNTY

__all__ = ["make_worker"]


def make_worker(database: Database) -> procrastinate.App:
    """The job application: deletes old positions every minute, moves the demonstration's staff."""
    connector = procrastinate.PsycopgConnector(
        conninfo=database.conninfo, kwargs={"options": "-c search_path=jobs,public"}
    )
    app = procrastinate.App(connector=connector)

    @app.periodic(cron="* * * * *")
    @app.task(queueing_lock="positions", name="positions")
    def positions(timestamp: int) -> None:
        """Keep only fresh positions; the fictional staff report in every minute."""
        with database.session() as session:
            purge_positions(session)
            demo = text("SELECT EXISTS (SELECT 1 FROM account WHERE login = 'demo')")
            if session.execute(demo).scalar():
                place_demo_staff(session, DEMO_COUNTY, seed=timestamp // 300)

    return app
