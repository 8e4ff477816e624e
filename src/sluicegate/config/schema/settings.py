"""The configuration file as a whole, and the tokens it declares."""

from sluicegate.config import fields
from sluicegate.config.schema.limits import LimitSettings, LimitsSettings, Redis
from sluicegate.config.schema.logs import LogSettings
from sluicegate.config.schema.metrics import Metrics
from sluicegate.config.schema.models import ModelSettings
from sluicegate.config.schema.notices import NoticeSettings
from sluicegate.config.schema.prices import PriceSettings
from sluicegate.config.schema.providers import ProviderSettings
from sluicegate.config.schema.resilience import Resilience
from sluicegate.config.schema.section import Section
from sluicegate.config.schema.server import Admin, Events, Issuing, RequestLogSettings, Server
from sluicegate.config.schema.sinks import SinkName, SinkSettings
from sluicegate.domain.snapshot import Snapshot

_SNAPSHOT = Snapshot(version=0)


class TokenSettings(Section):
    """A declared token: what a caller presents, and what it may do."""

    name: fields.PlainName
    """What it is called in logs and lists; its id is made from it."""
    token: fields.Token
    """The secret itself: printable ASCII, at least 8 characters."""
    project: fields.OwnerName | None = None
    """Project it belongs to."""
    organization: fields.OwnerName | None = None
    """Organisation it belongs to."""
    user: fields.OwnerName | None = None
    """User it belongs to."""
    expires_at: fields.Moment | None = None
    """When it ends: ISO 8601 with an offset, `2030-12-31T23:59:59Z`. Not set, it does not."""
    active: bool = True
    """Whether it may be used."""
    model: fields.PlainName | None = None
    """The model that answers its conversations, whatever they ask for: `provider/model`, or one of ours."""
    models: tuple[fields.PlainName, ...] = ()
    """Models it may use, by the names its caller asks for; none for all."""
    tags: tuple[fields.PlainName, ...] = ()
    """Words that its requests are marked with."""
    limits: tuple[LimitSettings, ...] = ()
    """What bounds it, beside the defaults."""


class Settings(Section):
    """The configuration file."""

    server: Server = Server()
    """Where and how the gateway listens."""
    data_dir: fields.PathName = "./data"
    """Directory for everything the gateway keeps."""
    database: fields.DatabaseUrl | None = None
    """Where tenants and tokens are kept: `sqlite:///path`, relative to the data directory, or
    `postgresql://user:password@host/name`. Not set, a SQLite file in the data directory."""
    management_token: fields.Token | None = None
    """What the management API asks for; not set, it is closed."""
    admin: Admin | None = None
    """Set both parts to let one administrator in by HTTP Basic, with the role `admin`."""
    master_key: fields.MasterKey | None = None
    """What secrets in the database are encrypted with: 32 bytes in hexadecimal or base64; several, separated by commas
    or white space, the newest first. Not set, `master.key` in the data directory is used, and made if need be."""
    key_file: fields.PathName | None = None
    """JSON file that declares tokens, `{"keys": [{"key": …, "name": …}]}`, and into which their usage is written."""
    key_file_model: fields.PlainName | None = None
    """The model that answers keys of that file which name none of their own, whatever their requests ask for."""
    issuing: Issuing = Issuing()
    """How tokens are made that the gateway issues."""
    events: Events = Events()
    """How long events are kept."""
    request_log: RequestLogSettings = RequestLogSettings()
    """What the database keeps of requests."""
    sinks: dict[SinkName, SinkSettings] = {}
    """Where events are sent to, by names of your own; a list whose entries have a `name` will do as well."""
    metrics: Metrics = Metrics()
    """Who may read the metrics."""
    notices: NoticeSettings = NoticeSettings()
    """What people are warned of."""
    log: LogSettings = LogSettings()
    """What the control process logs."""
    limits: LimitsSettings = LimitsSettings()
    """What bounds callers."""
    redis: Redis | None = None
    """Where limits are counted. Not set, in the database."""
    authentication_grace: fields.SecondsOrNone = _SNAPSHOT.authentication_grace
    """Seconds for which tokens already known stay good while the control process is away."""
    providers: dict[fields.ProviderName, ProviderSettings] = {}
    """Providers by name; the name is the first segment of their own paths, `/openai/…`."""
    defaults: dict[str, str] = {}
    """Dialect to provider: which of several providers of a dialect serves a request whose model decides nothing.
    Where not set, the first declared."""
    resilience: Resilience = Resilience()
    """What is done about providers in trouble."""
    models: tuple[ModelSettings, ...] = ()
    """Model names of our own."""
    prices: tuple[PriceSettings, ...] = ()
    """What models cost, in place of what the bundled table says."""
    tokens: tuple[TokenSettings, ...] = ()
    """Declared tokens."""
    plugins: tuple[fields.PlainName, ...] = ()
    """Plugins that are used, by the names of their entry points, in the order in which they are asked."""

    @property
    def database_url(self) -> str:
        """What `database` means, as `store/address.py` reads it. May hold a password."""
        return self.database.get_secret_value() if self.database else "sqlite"
