"""Every setting, read from the environment and, in dev, from the project's `.env` (docs/settings.md)."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from clew.errors import StartupError
from clew.secrets import weakness

PREFIX = "CLEW_"

Environment = Literal["dev", "production"]


def normalise_database_url(value: str) -> str:
    """Return a Postgres URL in asyncpg's spelling, `postgresql://`. Raise ValueError with the fault of a wrong one."""
    scheme, separator, rest = value.strip().partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise ValueError("it must begin with postgresql://")
    parts = urlsplit(f"postgresql://{rest}")
    if parts.fragment:
        raise ValueError("it holds a bare #: in a password write it as %23")
    hosts = parts.netloc.rpartition("@")[2]
    for host in hosts.split(","):
        port = host.rpartition("]")[2].rpartition(":")[2] if ":" in host.rpartition("]")[2] else ""
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("its port is not a number from 1 to 65535")
    if not hosts.strip(":") and "host=" not in parts.query:
        raise ValueError("it names no host")
    if not unquote(parts.path).strip("/"):
        raise ValueError("it names no database")
    # urlunsplit would drop the // if there is no host before the path.
    return f"postgresql://{rest}"


def _validated_url(value: object) -> object:
    return normalise_database_url(value) if isinstance(value, str) else value


def _validated_jwks_url(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = urlsplit(value.strip())
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise ValueError("it is not an https:// address")
    return value.strip()


# Other spaces, such as a no-break space, are part of a name.
_SPACES = " \t\r\n"


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(name for name in (part.strip(_SPACES) for part in value.split(",")) if name)


def _json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _strip(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


PLANNER = "jit=off,random_page_cost=1.1"

# What decides on plans alone, not on answers or on how long one may wait.
_PLANNER_NAMES = frozenset(
    {
        *("random_page_cost", "seq_page_cost", "cpu_tuple_cost", "cpu_index_tuple_cost", "cpu_operator_cost"),
        *("effective_cache_size", "work_mem", "hash_mem_multiplier", "jit", "jit_above_cost", "plan_cache_mode"),
        *("from_collapse_limit", "join_collapse_limit", "geqo", "geqo_threshold", "max_parallel_workers_per_gather"),
    }
)
_PLANNER_SETTING = re.compile(r"([a-z_]+)\s*=\s*([\w.]+)")


def planner_settings(text: str) -> dict[str, str]:
    """The settings of Postgres in `CLEW_PLANNER`, by name; ValueError says what is wrong with it."""
    if text.strip().lower() == "none":
        return {}
    found: dict[str, str] = {}
    for part in text.split(","):
        match = _PLANNER_SETTING.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is not name=value")
        name, value = match.groups()
        if name not in _PLANNER_NAMES and not name.startswith("enable_"):
            raise ValueError(f"{name} is no setting of the planner")
        found[name] = value
    return found


def _validated_planner(value: object) -> object:
    if isinstance(value, str):
        planner_settings(value)
    return value


Planner = Annotated[str, BeforeValidator(_validated_planner)]
DatabaseUrl = Annotated[str, BeforeValidator(_validated_url)]
HttpsUrl = Annotated[str, BeforeValidator(_validated_jwks_url)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Text = Annotated[str, BeforeValidator(_strip)]

# The form of a value, in the words of the error message.
EXPECTED: Mapping[str, str] = {
    "DATABASE_URL": "a URL such as postgresql://user:password@host:5432/database",
    "CLEW_ENV": "dev or production",
    "CLEW_DIRECT_URL": "a URL such as postgresql://user:password@host:5432/database",
    "CLEW_PORT": "a port number from 0 to 65535",
    "CLEW_PLANNER": "settings of Postgres' planner such as random_page_cost=1.1,jit=off, or none",
    "CLEW_LOG_LEVEL": "debug, info, warning or error",
    "CLEW_LOG_FORMAT": "json or console",
    "CLEW_LIMITS": 'JSON such as {"editor": {"depth": 30}}',
    "CLEW_JWKS_URL": "an https:// address (http:// for localhost only)",
}


class LimitOverrides(BaseModel):
    """The limits of one role that differ from the general ones, by name: `depth` is CLEW_MAX_DEPTH."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: Count | None = None
    depth: Count | None = None
    aliases: Count | None = None
    root_fields: Count | None = None
    directives: Count | None = None
    page: Count | None = None
    nested_page: Count | None = None
    cost: Count | None = None
    list_items: Count | None = None
    conditions: Count | None = None
    rate: Count | None = None
    in_flight: Count | None = None
    response_bytes: Count | None = None
    operations: Count | None = None
    sockets: Count | None = None
    live_rate: Count | None = None


Overrides = Annotated[Mapping[str, LimitOverrides], NoDecode, BeforeValidator(_json)]


class Settings(BaseSettings):
    """The settings of one process, immutable. `Settings.load` makes them. An empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    env: Environment = Field(
        "production",
        description="`dev` or `production`. If it is unset, servers are in production. `clew dev`, and commands and "
        "scripts that serve no requests, are in dev. `dev` alone makes nobody admin.",
    )
    database_url: DatabaseUrl | None = Field(
        None,
        alias="DATABASE_URL",
        repr=False,
        description="The Postgres (15 to 18) to use: `postgresql://user:password@host:5432/database`. If it is unset "
        "in dev, Clew starts the embedded Postgres.",
    )
    host: Text = Field("127.0.0.1", description="The address to listen on.")
    port: Port = Field(8000, description="The port to listen on. 0 picks a free one.")
    workers: Annotated[int, Field(ge=1, le=512)] = Field(
        1, description="How many server processes `clew serve` starts."
    )

    secret: SecretStr | None = Field(
        None,
        description="Encrypts cursors and tickets. Use the same value on every machine, with at least 32 random "
        "characters. In dev Clew makes one and keeps it in `.clew/secret`.",
    )
    admin_secret: SecretStr | None = Field(
        None,
        description="A request with this secret in `X-Clew-Admin-Secret` is admin. At least 32 random characters. If "
        "it is unset in dev, no secret makes an admin.",
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="A request with this bearer token may read `/metrics`, and nothing else. At least 32 random "
        "characters. If it is unset, only an admin may.",
    )
    jwt_secret: SecretStr | None = Field(
        None,
        description="Verifies bearer tokens signed with HS256. If dev has no keys either, Clew makes a secret and "
        "keeps it in `.clew/jwt-secret`.",
    )
    jwks_url: HttpsUrl | None = Field(None, description="Where the identity provider publishes its public keys.")
    jwks_file: Path | None = Field(None, description="A file of public keys (JWKS) instead of `CLEW_JWKS_URL`.")
    jwt_issuer: Text | None = Field(None, description="The `iss` that a token must have. If it is unset, any will do.")
    jwt_audience: Text | None = Field(
        None, description="The `aud` that a token must have. If it is unset, any will do."
    )
    jwt_roles_claim: Annotated[Text, Field(min_length=1)] = Field(
        "roles", description="The claim with the viewer's roles. It may be a dotted path: `realm_access.roles`."
    )

    cors_origins: Names = Field((), description="Origins that browsers may call from, comma-separated.")
    playground: bool = Field(
        default_factory=lambda data: data.get("env") == "dev",
        description="Serve the playground at `/graphql`. It is on in dev. Production refuses it.",
    )
    introspection: bool = Field(
        True, description="Answer introspection queries. Each role sees only the schema that it may use."
    )
    trusted_only: bool = Field(
        False,
        description="Run only the operations in `graphql/operations/`. Not supported yet: a server with this setting "
        "on refuses to start.",
    )
    forwarded_ips: Names = Field(
        (), description="Proxies whose `X-Forwarded-*` headers Clew trusts: addresses or networks, comma-separated."
    )

    pool_max: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="The most database connections that each process opens."
    )
    pool_timeout: Seconds = Field(
        5.0, description="Seconds that an operation waits for a connection. After that it gets `UNAVAILABLE`."
    )
    statement_timeout: Seconds = Field(
        10.0, description="Seconds that one SQL statement may take. After that it ends with `TIMEOUT`."
    )
    direct_url: DatabaseUrl | None = Field(
        None,
        repr=False,
        description="A URL of the same database that leads to Postgres itself. Set it if `DATABASE_URL` leads to a "
        "connection pooler. The connection that reads the change log needs it.",
    )
    change_seconds: Annotated[float, Field(ge=60, le=2_592_000, allow_inf_nan=False)] = Field(
        1800.0,
        description="Seconds that a subscriber may be away and go on where it was. The change log keeps changes for "
        "two to three times as long.",
    )
    run_jobs: bool = Field(
        True, description="Whether server processes run jobs. Switch it off where `clew worker` runs them."
    )
    job_concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="How many jobs one process runs at once."
    )
    job_pool_max: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="The most database connections that the handlers of one process open."
    )
    job_seconds: Annotated[float, Field(ge=60, le=315_360_000, allow_inf_nan=False)] = Field(
        604_800.0, description="Seconds that jobs are kept after their end."
    )
    # Job output
    output_seconds: Annotated[float, Field(ge=60, le=31_536_000, allow_inf_nan=False)] = Field(
        604_800.0, description="Seconds that the output of jobs is kept at least, unless it becomes too large."
    )
    output_bytes: Annotated[int, Field(ge=2**20, le=2**50)] = Field(
        10 * 2**30,
        description="About the most bytes that the output of all jobs takes. The oldest goes first.",
    )
    max_chunk_bytes: Annotated[int, Field(ge=1, le=2**20)] = Field(
        64 * 2**10, description="The largest chunk that a job may emit, in bytes."
    )
    max_output_bytes: Count = Field(
        16 * 2**20, description="The most bytes that one execution of a job may emit. Each chunk counts 64 more."
    )

    planner: Planner = Field(
        PLANNER,
        description="Settings of Postgres' planner for Clew's sessions, as `name=value`, separated by commas. `none` "
        "keeps those of the server.",
    )

    max_body_bytes: Count = Field(2**20, description="The largest request body and WebSocket message, in bytes.")
    max_tokens: Count = Field(10_000, description="The most lexical tokens in a document.")
    max_depth: Count = Field(20, description="The deepest selection in an operation. Introspection is exempt.")
    max_aliases: Count = Field(100, description="The most aliases in an operation, with its fragments expanded.")
    max_root_fields: Count = Field(50, description="The most root fields in an operation.")
    max_directives: Count = Field(100, description="The most directives in an operation.")
    max_page: Count = Field(
        1000, description="The most rows of a list. A root field's list without `limit` returns this many."
    )
    max_nested_page: Count = Field(100, description="The most rows of a nested list without `limit`.")

    max_cost: Count = Field(
        25_000_000, description="The most rows that all lists of a query together may return. Nested lists multiply."
    )
    max_list_items: Count = Field(10_000, description="The most items of one list in an operation's input.")
    max_conditions: Count = Field(
        5000, description="The most conditions of an operation, including those of its access rules."
    )
    max_rate: Count = Field(6000, description="The most operations that a viewer may run in a minute.")
    max_in_flight: Count = Field(
        default_factory=lambda data: max(1, data.get("pool_max", 0) // 2),
        description="The most operations of one viewer that run at once, in each process. The default leaves half of "
        "the database connections to others.",
    )
    max_response_bytes: Count = Field(16 * 2**20, description="The largest response to an operation, in bytes.")
    max_operations: Count = Field(1000, description="The most operations under way on one WebSocket.")
    max_sockets: Count = Field(
        1000, description="The most WebSockets and event streams of one viewer, in each process."
    )
    max_live_rate: Count = Field(
        1200, description="The most results of one live query in a minute. Changes that come faster are sent together."
    )
    max_all_sockets: Count = Field(
        10_000, description="The most WebSockets and event streams of all viewers, in each process."
    )
    max_exports: Count = Field(2, description="The most exports of one viewer that run at once, in each process.")
    max_all_exports: Annotated[int, Field(ge=1, le=1000)] = Field(
        4,
        description="The most exports of all viewers that run at once, in each process. Each has a database connection "
        "of its own, beside those of `CLEW_POOL_MAX`.",
    )
    export_seconds: Annotated[float, Field(gt=0, le=604_800, allow_inf_nan=False)] = Field(
        3600.0,
        description="Seconds that an export may take. While it runs, Postgres keeps what other transactions delete.",
    )
    export_stall_seconds: Seconds = Field(
        20.0, description="Seconds that the client of an export may read nothing. Then its connection is broken off."
    )
    heartbeat_seconds: Seconds = Field(
        12.0,
        description="Seconds between the pings of a quiet WebSocket, and between the comments of a quiet event stream. "
        "Pings come up to a quarter sooner, so that those of many sockets do not come at once. A WebSocket that does "
        "not answer a ping within these seconds is closed.",
    )
    session_seconds: Seconds = Field(
        43_200.0,
        description="Seconds that a WebSocket or event stream lasts at most if the viewer's claims have no `exp`.",
    )
    limits: Overrides = Field(
        {},
        description='Limits that differ for some roles, as JSON: `{"editor": {"cost": 50000000, "rate": 60000}}`.',
    )

    max_connections: Count = Field(
        1000,
        description="The most client connections of each process, without its WebSockets. At the limit, a new "
        "connection closes the one that has been idle longest. If none is idle, Clew refuses the new one.",
    )
    keep_alive_seconds: Seconds = Field(
        10.0,
        description="Seconds that a connection may be idle between two requests. Set it longer than your load "
        "balancer's idle time, so that the load balancer closes first.",
    )
    drain_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = Field(
        2.0,
        description="Seconds after SIGTERM in which `/readyz` fails and requests are still accepted. Load balancers "
        "use this time to send requests elsewhere. 0 in dev.",
    )
    shutdown_seconds: Seconds = Field(
        20.0, description="Seconds after that in which running requests may finish. Then they are cancelled. 3 in dev."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged."
    )
    log_format: Literal["json", "console"] = Field(
        default_factory=lambda data: "console" if data.get("env") == "dev" else "json",
        description="`json` (production) or `console` (dev).",
    )

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        named = [
            name
            for name, value in (
                ("CLEW_JWT_SECRET", self.jwt_secret),
                ("CLEW_JWKS_URL", self.jwks_url),
                ("CLEW_JWKS_FILE", self.jwks_file),
            )
            if value is not None
        ]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} are set; set only one of them.")
        return self

    @classmethod
    def load(cls, project_root: Path, env_default: Environment) -> Settings:
        """Read the settings of the project at `project_root`.

        Args:
            project_root: the folder of `.env` (read in dev only) and `.clew/secret`.
            env_default: the environment if `CLEW_ENV` is not set.

        Raises:
            StartupError: names every variable with a bad value, the expected form and, except for secrets, the value.
        """
        env = os.environ.get("CLEW_ENV", "").strip() or env_default
        dotenv = project_root / ".env"
        # A plain mapping, because pydantic's types accept only the alias of a field here, not its name.
        fixed: dict[str, Any] = {"env": env}
        try:
            settings = cls(_env_file=dotenv if env == "dev" else None, **fixed)  # type: ignore[call-arg]  # pydantic's types leave out its own arguments
        except ValidationError as error:
            raise StartupError(_explain(error)) from None
        except SettingsError as error:
            raise StartupError(f"The settings cannot be read: {error}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise StartupError(f"{dotenv} cannot be read: {error}") from None
        values: dict[str, Any] = {}
        if settings.env == "dev":
            # Keep the secret, so that a restart does not invalidate the developer's open pages and cursors.
            values["secret"] = settings.secret or SecretStr(_kept_secret(project_root / ".clew" / "secret"))
            if settings.jwt_secret is None and settings.jwks_url is None and settings.jwks_file is None:
                # `clew token` signs with this secret, and `clew dev` must accept the token.
                values["jwt_secret"] = SecretStr(_kept_secret(project_root / ".clew" / "jwt-secret"))
            # On Ctrl-C, do not wait for a load balancer or an open subscription.
            patience = {"drain_seconds": 0.0, "shutdown_seconds": 3.0}
            values |= {name: value for name, value in patience.items() if name not in settings.model_fields_set}
        return settings.model_copy(update=values)

    def production_faults(self) -> list[str]:
        """Return every reason against these settings in production, one sentence each; none if they are fit."""
        faults: list[str] = []
        if self.env != "production":
            faults.append(f"CLEW_ENV is {self.env}: `clew serve` runs in production only; `clew dev` is for dev.")
        if self.database_url is None:
            faults.append("DATABASE_URL is not set.")
        for name, secret in (("CLEW_SECRET", self.secret), ("CLEW_ADMIN_SECRET", self.admin_secret)):
            if secret is None:
                faults.append(f"{name} is not set.")
            elif reason := weakness(secret.get_secret_value()):
                faults.append(f"{name} is weak: {reason}.")
        for name, secret in (("CLEW_JWT_SECRET", self.jwt_secret), ("CLEW_METRICS_TOKEN", self.metrics_token)):
            if secret is not None and (reason := weakness(secret.get_secret_value())):
                faults.append(f"{name} is weak: {reason}.")
        given = (self.secret, self.admin_secret, self.jwt_secret, self.metrics_token)
        secrets = [secret.get_secret_value() for secret in given if secret is not None]
        if len(set(secrets)) < len(secrets):
            faults.append(
                "CLEW_SECRET, CLEW_ADMIN_SECRET, CLEW_JWT_SECRET and CLEW_METRICS_TOKEN must differ from each other."
            )
        if self.playground:
            faults.append("CLEW_PLAYGROUND is on: the playground is for dev.")
        if "*" in self.cors_origins:
            faults.append("CLEW_CORS_ORIGINS allows every origin (*): list the origins.")
        if "*" in self.forwarded_ips:
            faults.append("CLEW_FORWARDED_IPS trusts everybody (*): list your proxies.")
        return faults

    def require_production(self) -> None:
        """Raise one StartupError with all of `production_faults`, if there are any."""
        if faults := self.production_faults():
            listed = "\n".join(f"  - {fault}" for fault in faults)
            raise StartupError(
                f"These settings are not fit for production:\n{listed}",
                "`openssl rand -hex 32` makes a secret." if any("SECRET" in fault for fault in faults) else None,
            )


def variable(name: str) -> str:
    """Return the environment variable of the setting `name`."""
    return Settings.model_fields[name].alias or PREFIX + name.upper()


def _explain(error: ValidationError) -> str:
    sentences = []
    for fault in error.errors(include_url=False):
        if fault["type"] == "default_factory_not_called":
            continue  # it follows from another fault in the list
        message = str(fault["msg"]).removeprefix("Value error, ")
        if not fault["loc"]:
            sentences.append(message)
            continue
        name = next(name for name, field in Settings.model_fields.items() if fault["loc"][0] in (name, field.alias))
        secret = name in ("database_url", "direct_url") or "Secret" in str(Settings.model_fields[name].annotation)
        value = "" if secret else f", not {str(fault['input'])[:100]!r}"
        reason = f": {message}" if fault["type"] == "value_error" else ""
        if len(fault["loc"]) > 1:
            # Name the wrong part of the value.
            value, reason = "", f": {'.'.join(map(str, fault['loc'][1:]))}: {message[:1].lower()}{message[1:]}"
        sentences.append(f"{variable(name)} must be {_expected(name)}{value}{reason}.")
    return "\n".join(dict.fromkeys(sentences))


def _expected(name: str) -> str:
    if variable(name) in EXPECTED:
        return EXPECTED[variable(name)]
    field = Settings.model_fields[name]
    if field.annotation is bool:
        return "true or false"
    bounds = {key: value for rule in field.metadata for key, value in _bounds(rule).items()}
    if field.annotation is int:
        return f"a whole number from {bounds.get('ge', 0)} to {bounds.get('le', 2**31 - 1)}"
    if field.annotation is float:
        least = f"from {bounds['ge']}" if "ge" in bounds else f"above {bounds.get('gt', 0)}"
        return f"a number of seconds {least} to {bounds.get('le')}"
    return "text"


def _bounds(rule: object) -> Mapping[str, object]:
    names = ("ge", "gt", "le", "lt")
    return {name: getattr(rule, name) for name in names if getattr(rule, name, None) is not None}


def _kept_secret(file: Path) -> str:
    """Return the secret in `file`, and create it if missing. If it cannot be written, this process alone has it."""
    try:
        kept = file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        kept = ""
    if kept:
        return kept
    made = secrets.token_hex(32)
    try:
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(made)
    except OSError:
        pass
    return made
