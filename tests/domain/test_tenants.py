"""Who uses an installation."""

import msgspec
import pytest
from msgspec import Struct, structs

from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.tenants import (
    DEFAULT_ORGANIZATION,
    DEFAULT_PROJECT,
    Account,
    AdminKey,
    AuditEntry,
    Change,
    LimitRecord,
    Organization,
    PriceOverride,
    Project,
    ProviderCredential,
    Token,
    User,
)

RECORDS: tuple[Struct, ...] = (
    Organization(id=DEFAULT_ORGANIZATION, name="Default", created_at=1, updated_at=2),
    Project(id=DEFAULT_PROJECT, organization_id=DEFAULT_ORGANIZATION, name="Default", created_at=1, updated_at=2),
    User(id="usr_1", organization_id=DEFAULT_ORGANIZATION, email="ada@example.com", created_at=1, updated_at=2),
    Token(
        id="tok_1",
        digest=b"\x01" * 32,
        prefix="sk-sg-ab",
        last_four="wxyz",
        organization_id=DEFAULT_ORGANIZATION,
        created_at=1,
        updated_at=2,
    ),
    ProviderCredential(
        id="crd_1",
        project_id=DEFAULT_PROJECT,
        provider="openai",
        ciphertext=b"\x00sealed",
        key_id="k1",
        last_four="9f3e",
        created_at=1,
        updated_at=2,
    ),
    LimitRecord(
        id="lim_1",
        organization_id=DEFAULT_ORGANIZATION,
        scope="project",
        scope_id=DEFAULT_PROJECT,
        metric="usd",
        window="month@Europe/Berlin",
        maximum=1,
        created_at=1,
        updated_at=2,
    ),
    PriceOverride(
        id="prc_1",
        organization_id=DEFAULT_ORGANIZATION,
        provider="openai",
        model="gpt-5",
        price=Price(version="prc_1/1", rates=Rates(input=1)),
        created_at=1,
        updated_at=2,
    ),
    AdminKey(
        id="adm_1",
        digest=b"\x02" * 32,
        prefix="sk-sg-ad",
        last_four="abcd",
        name="Ops",
        role="admin",
        created_at=1,
        updated_at=2,
    ),
    Account(id="acc_1", login="grace", password_hash="$argon2id$", role="viewer", created_at=1, updated_at=2),
    AuditEntry(
        sequence=1,
        at=1,
        actor="adm_1",
        actor_kind="admin_key",
        address="",
        action="token.create",
        target_kind="token",
        target_id="tok_1",
        organization_id=None,
        request_id="",
        before=None,
        after={"name": "CI"},
        previous_hash=bytes(32),
        hash=b"\x03" * 32,
    ),
    Change(sequence=1, at=1, digest=None),
)
KEPT = RECORDS[:9]
"""Those that can be changed."""


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_survive_being_written_and_read(record: Struct) -> None:
    """A record is the same after it was written as JSON and read again."""
    assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_are_values(record: Struct) -> None:
    """A record cannot be changed; whoever changes one makes another."""
    field = record.__struct_fields__[0]
    with pytest.raises(AttributeError, match="immutable"):
        setattr(record, field, None)


@pytest.mark.parametrize("record", KEPT, ids=lambda record: type(record).__name__)
def test_a_new_record_is_of_its_first_version(record: Struct) -> None:
    """Versions begin with 1, and a change counts them up."""
    fields = structs.asdict(record)
    assert fields["version"] == 1
    assert structs.asdict(structs.replace(record, version=2)) == {**fields, "version": 2}


def test_a_new_record_may_do_what_is_not_forbidden() -> None:
    """Nothing but what is required makes an active record without limits."""
    organization, project, user, token, _, limit, _, key, account = map(structs.asdict, KEPT)
    assert {record["status"] for record in (organization, project, user, token, key, account)} == {"active"}
    assert (organization["monthly_budget"], organization["failure_mode"], user["monthly_limit"]) == (
        None,
        "closed",
        None,
    )
    assert (organization["time_zone"], limit["enforcement"], token["requests_before"]) == ("UTC", "hard", 0)
    assert [token[field] for field in ("models", "paths", "request_headers", "tags")] == [()] * 4
    limits = ("expires_at", "idle_seconds", "retires_at", "replaced_by", "max_requests", "model", "counted_as")
    assert [token[field] for field in limits] == [None] * len(limits)


def test_metadata_are_of_one_record_each() -> None:
    """Two records that were made without metadata do not share them."""
    one, other = (Organization(id=name, name=name, created_at=1, updated_at=1) for name in ("org_1", "org_2"))
    one.metadata["plan"] = "gold"
    assert other.metadata == {}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Organization, "status", "revoked"),
        (Organization, "failure_mode", "ajar"),
        (Token, "status", "retired"),
        (AdminKey, "role", "owner"),
        (Account, "status", "revoked"),
        (LimitRecord, "enforcement", "firm"),
    ],
)
def test_other_words_are_refused(kind: type[Struct], field: str, value: str) -> None:
    """A status, role or mode that there is not is refused where a record is read."""
    (record,) = (record for record in KEPT if type(record) is kind)
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert({**msgspec.to_builtins(record), field: value}, kind)


def test_a_token_is_counted_as_the_first_of_its_line() -> None:
    """As itself where it replaced none."""
    token = Token(id="tok_2", digest=b"", prefix="", last_four="", organization_id="org_1", created_at=1, updated_at=1)
    assert token.account_id == "tok_2"
    assert structs.replace(token, counted_as="tok_1").account_id == "tok_1"
