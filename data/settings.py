"""Settings: frozen, one prefix (``ONEGRID_``), built once at the entry point and passed in."""

import difflib
import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import limits
from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from data.database_url import database_url
from data.retention.rules import RULES, checked_periods
from gis.errors import OneGridError

__all__ = [
    "DEMO_COUNTY",
    "LEAST_KEY",
    "Network",
    "Settings",
    "is_local_name",
    "networks_of",
    "unknown_settings",
    "wrong_settings",
]

# 99 is no province: the demonstration city cannot be taken for a real county.
DEMO_COUNTY = "990100"
# A key with fewer characters can be guessed.
LEAST_KEY = 16


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_local_name(host: str) -> bool:
    """Whether a host's name or address is one of this machine alone (RFC 6761 6.3)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")


def networks_of(text: str) -> list[Network]:
    """Networks that are separated by commas; a single address is one.

    Raises
    ------
    ValueError
        If one is none, has bits set behind its mask, or is everybody.
    """
    networks = [ipaddress.ip_network(one) for one in _parts_of(text)]
    for one in networks:
        if not one.prefixlen:
            raise ValueError(f"{one} is everybody: name the networks that are meant")
    return networks


def _named_keys(text: str) -> list[tuple[str, str]]:
    """Pairs ``name:key``, separated by commas."""
    pairs = (pair.strip().partition(":") for pair in text.split(","))
    return [(name, key) for name, _, key in pairs if key]


def _parts_of(text: str) -> list[str]:
    return list(filter(None, (part.strip() for part in text.split(","))))


class _Environment(EnvSettingsSource):
    """The environment, in which what is no JSON is a wrong value as any other."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """The value of a setting of several parts; as it stands where it cannot be read."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value


class Settings(BaseSettings):
    """All settings of the program.

    Attributes
    ----------
    home : Path
        State folder: the private cluster, road networks, the demonstration city's files.
    database_url : str or None
        Any PostGIS >= 3.1; None means the private cluster in `home`.
    owner_url : str or None
        With `database_url`: the address of the database's owner, who migrates; `database_url` is
        then that of a role that serves and may not change the audit log.
    audit_witness : str
        Whom the audit log's heads are told: an ``https://`` address by POST, or an e-mail address
        by the mail server of `smtp`.
    cluster_port : int or None
        TCP port of the private cluster on 127.0.0.1; None, the default, means no TCP at all.
    county : str
        Six-digit county code that commands work on unless told otherwise.
    host, port
        Where the web server listens.
    workers : int
        Processes of the web server; about one for each core.
    connections : int or None
        Most connections to the database that all processes of this machine hold together; None
        means as many as they have use for. Beyond what the server admits nothing starts.
    review_number : str
        Map review number (审图号) shown on public maps.
    smtp, mail_from : str
        ``host:port`` of a mail server that takes mail from this machine, and whom it is from;
        without both no notice goes by mail.
    intake_keys : str
        ``name:key`` of each system that may send reports, separated by commas.
    cards_free, cards_most, cards_range : str
        How many cards a stranger gets at once, in all, and everybody of a range of addresses
        together: ``20 per 10 minutes``. Beyond the first each card takes a wait.
    suggestions_most, reports_most : str
        How often a stranger's typing is looked up, and how much one may report.
    logins_name, logins_address, logins_range : str
        How many wrong passwords from devices that are not known: for one name, from one address,
        from a range of addresses.
    logins_device : str
        How many wrong passwords from a device that somebody has signed in from; and how many wrong
        codes of a second factor.
    trusted_networks : str
        Networks whose clients are not counted, separated by commas: counters, own programs.
    public_url : str
        Address under which people reach the server: what links and codes lead to, the only host
        beside this machine's own names that is answered, and where it is one of HTTPS, the
        reason for secure cookies and HSTS.
    cors_origins : str
        Sites whose pages may read public data, separated by commas: ``https://…`` (``http://`` of
        this machine's own names alone), or ``*`` for all of what names nobody.
    retention : mapping of str to int
        Days for which records are kept, by rule, where not by default (`data.retention.rules`):
        ``ONEGRID_RETENTION__NOTICES=180``, or all as JSON in ``ONEGRID_RETENTION``.
    proxies : str
        Networks of the proxies before the server, separated by commas: their ``X-Forwarded-For``
        and ``X-Forwarded-Proto`` are believed, nobody else's.
    log_format, log_level, log_file : str
        How the log is written: lines of ``text`` or of ``json``, from which level on (``debug``
        tells whole tracebacks, with whatever they quote), and a file that all processes write
        beside the standard error.
    metrics : str
        Who may read ``/metrics``: nobody (``off``), whoever asks on this machine (``local``), or
        the systems of ``name:key`` pairs, separated by commas.
    """

    model_config = SettingsConfigDict(
        env_prefix="ONEGRID_", env_nested_delimiter="__", frozen=True, extra="ignore"
    )

    home: Path = Path(".onegrid")
    database_url: str | None = None
    owner_url: str | None = None
    cluster_port: int | None = Field(default=None, ge=1024, le=65535)
    county: str = Field(default=DEMO_COUNTY, pattern=r"^[0-9]{6}$")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    connections: int | None = Field(default=None, ge=1)
    review_number: str = ""
    smtp: str = ""
    mail_from: str = ""
    intake_keys: str = ""
    cards_free: str = "20 per 10 minutes"
    cards_most: str = "100 per day"
    cards_range: str = "1000 per day"
    suggestions_most: str = "300 per 10 minutes"
    reports_most: str = "20 per 10 minutes"
    logins_name: str = "10 per 15 minutes"
    logins_address: str = "30 per 15 minutes"
    logins_range: str = "300 per 15 minutes"
    logins_device: str = "10 per 15 minutes"
    trusted_networks: str = ""
    audit_witness: str = ""
    public_url: str = ""
    proxies: str = ""
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_file: str = ""
    metrics: str = "off"
    cors_origins: str = ""
    retention: dict[str, int] = Field(default_factory=dict)

    @field_validator(
        "cards_free",
        "cards_most",
        "cards_range",
        "suggestions_most",
        "reports_most",
        "logins_name",
        "logins_address",
        "logins_range",
        "logins_device",
    )
    @classmethod
    def _a_limit(cls, value: str) -> str:
        limits.parse(value)
        return value

    @field_validator("trusted_networks", "proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        networks_of(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("an address begins with https:// or http:// and names a host")
        if "@" in parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("an address is a host, with a port where it needs one, and no more")
        _ = parts.port  # says itself which there are
        return value

    @field_validator("database_url", "owner_url")
    @classmethod
    def _a_database(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not _DATABASE.match(value):
            raise ValueError("an address of a database begins with postgresql://")
        try:
            database_url(value)
        except OneGridError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("audit_witness")
    @classmethod
    def _a_witness(cls, value: str) -> str:
        parts = urlsplit(value)
        by_post = parts.scheme == "https" or (
            parts.scheme == "http" and is_local_name(parts.hostname or "")
        )
        by_mail = not parts.scheme and value.count("@") == 1
        if value and not ((by_post and parts.hostname) or by_mail):
            raise ValueError("a witness is an https:// address, or one of e-mail")
        return value

    @field_validator("log_file")
    @classmethod
    def _a_file(cls, value: str) -> str:
        return str(_absolute(Path(value))) if value else ""

    @field_validator("metrics")
    @classmethod
    def _readers(cls, value: str) -> str:
        if value in {"off", "local"}:
            return value
        keys = _named_keys(value)
        if not keys or len(keys) != value.count(",") + 1:
            raise ValueError("it is off, local, or name:key pairs separated by commas")
        if short := [name for name, key in keys if len(key) < LEAST_KEY]:
            raise ValueError(
                f"the keys of {', '.join(short)} have fewer than {LEAST_KEY} characters, and can "
                "be guessed"
            )
        return value

    @field_validator("cors_origins")
    @classmethod
    def _sites(cls, value: str) -> str:
        for one in _parts_of(value):
            if one != "*":
                _require_site(one)
        return value

    @field_validator("retention", mode="before")
    @classmethod
    def _days_by_rule(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(  # noqa: TRY004 - pydantic tells of a ValueError alone
                'it is days by rule as JSON, such as {"notices": 180}; '
                f"or set ONEGRID_RETENTION__NOTICES=180. Rules are {', '.join(_RULES)}"
            )
        return value

    @field_validator("retention")
    @classmethod
    def _periods(cls, value: dict[str, int]) -> dict[str, int]:
        checked_periods(value)
        return value

    @field_validator("home")
    @classmethod
    def _a_folder(cls, value: Path) -> Path:
        return _absolute(value)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - in whose place ours stands
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - there are no such files
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - nor these
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the settings come from: arguments, then the environment."""
        return init_settings, _Environment(settings_cls)

    @property
    def is_local(self) -> bool:
        """Whether the web server listens on this machine alone."""
        return is_local_name(self.host)

    @property
    def is_exposed(self) -> bool:
        """Whether others than this machine reach the server, be it by a proxy that stands here."""
        name = urlsplit(self.public_url).hostname
        return not self.is_local or (name is not None and not is_local_name(name))

    @property
    def proxy_networks(self) -> list[Network]:
        """The proxies whose word is believed about clients."""
        return networks_of(self.proxies)

    @property
    def named_keys(self) -> list[tuple[str, str]]:
        """The systems that may send reports, by name and key."""
        return _named_keys(self.intake_keys)

    @property
    def metrics_keys(self) -> list[tuple[str, str]]:
        """The systems that may read the metrics, by name and key."""
        return [] if self.metrics in {"off", "local"} else _named_keys(self.metrics)

    @property
    def is_https(self) -> bool:
        """Whether the public address is one of HTTPS."""
        return self.public_url.lower().startswith("https://")

    @property
    def metrics_dir(self) -> Path:
        """Folder in which each process tells the others how it is."""
        return self.home / "metrics"

    @property
    def origins(self) -> list[str]:
        """The sites whose pages may read public data."""
        return _parts_of(self.cors_origins)

    @property
    def retention_days(self) -> dict[str, int]:
        """For how many days records are kept, by retention rule."""
        return checked_periods(self.retention)

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


def _require_site(text: str) -> None:
    """Refuse what no browser says of a site, and a site that anybody on the way can speak for."""
    parts = urlsplit(text)
    # As a browser says it: with nothing behind the host and its port, and in small letters.
    plain = f"{parts.scheme}://{parts.netloc}"
    is_site = parts.scheme in {"http", "https"} and parts.hostname and plain == text.lower()
    if not is_site or set("@*") & set(text) or text != text.lower():
        raise ValueError(
            f"{text!r} is no site: name it as https://host, in small letters, with a port "
            "where it needs one and nothing behind; * is every site"
        )
    if parts.scheme != "https" and not is_local_name(parts.hostname or ""):
        raise ValueError(
            f"{text!r} is plain HTTP, which anybody on the way can change: name the site as "
            f"https://{parts.netloc}; http:// is taken of this machine alone (localhost)"
        )


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except (RuntimeError, OSError) as error:  # nobody's home, or links in a circle
        raise ValueError(f"no such place: {error}") from error


_RULES = [rule.name for rule in RULES]
# An address, or libpq's pairs of keyword and value.
_DATABASE = re.compile(r"postgres(?:ql(?:\+psycopg)?)?://|\s*[a-z_]+\s*=")
# The suite's own.
_TESTS = frozenset({"CRASHES", "EDITOR", "SHARED_DATA", "STORM"})


def unknown_settings(names: Iterable[str]) -> dict[str, str]:
    """Names of an environment that look like settings and are none.

    Returns
    -------
    dict of str to str
        For each the setting whose name is most like it, or ``""``.
    """
    prefix = "ONEGRID_"
    known = {field.upper() for field in Settings.model_fields}
    unknown = {}
    for name in sorted(name for name in names if name.upper().startswith(prefix)):
        rest = name.upper().removeprefix(prefix)
        # A rule that is none is refused, which says so.
        if rest not in known | _TESTS and not rest.startswith("RETENTION__"):
            alike = difflib.get_close_matches(rest, known, n=1, cutoff=0.75)
            unknown[name] = f"{prefix}{alike[0]}" if alike else ""
    return unknown


def wrong_settings(error: ValidationError, names: Iterable[str]) -> list[str]:
    """What is wrong with each setting: its name as the operator writes it, and what it may be.

    Parameters
    ----------
    names : iterable of str
        Those of the environment: a part of a setting may have one of its own.
    """
    given = {name.upper() for name in names}
    lines = []
    for wrong in error.errors(include_url=False, include_input=False):
        name, *parts = (str(one) for one in wrong["loc"])
        setting = f"ONEGRID_{name.upper()}"
        alone = "__".join([setting, *map(str.upper, parts)])
        said = wrong["msg"].removeprefix("Value error, ")
        if parts and alone not in given:
            lines.append(f"{setting}: {': '.join([*parts, said])}")
        else:
            lines.append(f"{alone}: {said}")
    return lines
