"""Settings: frozen, one prefix (``ONEGRID_``), built once at the entry point and passed in."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["DEMO_COUNTY", "Settings"]

# 99 is no province: the demonstration city cannot be taken for a real county.
DEMO_COUNTY = "990100"


class Settings(BaseSettings):
    """All settings of the program.

    Attributes
    ----------
    home : Path
        State folder: the private cluster, road networks, the demonstration city's files.
    database_url : str or None
        Any PostGIS >= 3.1; None means the private cluster in `home`.
    cluster_port : int or None
        TCP port of the private cluster on 127.0.0.1; None, the default, means no TCP at all.
    county : str
        Six-digit county code that commands work on unless told otherwise.
    host, port
        Where the web server listens.
    review_number : str
        Map review number (审图号) shown on public maps.
    smtp, mail_from : str
        ``host:port`` of a mail server that takes mail from this machine, and whom it is from;
        without both no notice goes by mail.
    intake_keys : str
        ``name:key`` of each system that may send reports, separated by commas.
    """

    model_config = SettingsConfigDict(env_prefix="ONEGRID_", frozen=True, extra="ignore")

    home: Path = Path(".onegrid")
    database_url: str | None = None
    cluster_port: int | None = Field(default=None, ge=1024, le=65535)
    county: str = Field(default=DEMO_COUNTY, pattern=r"^\d{6}$")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    review_number: str = ""
    secure_cookies: bool = False
    smtp: str = ""
    mail_from: str = ""
    intake_keys: str = ""

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def networks_dir(self) -> Path:
        """Folder of the road networks, one file per county."""
        return self.home / "networks"

    @property
    def locators_dir(self) -> Path:
        """Folder of the built locators, which processes map together."""
        return self.home / "locators"

    @property
    def jobs_dir(self) -> Path:
        """Folder of the files of background jobs; web server and worker share it."""
        return self.home / "jobs"
