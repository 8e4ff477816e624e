"""Bodies of requests, kept by the real program for a project that wants them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway, run
from tests.e2e.scripted import ScriptedProvider, sized
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management
from tests.e2e.written import contents

PROVIDER_KEY = "plain-words-for-a-key"
CARD = "4111 1111 1111 1111"
ANSWER = {"text": f"you sent {PROVIDER_KEY}", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that keeps bodies, in front of a provider that repeats its key."""
    directory = tmp_path_factory.mktemp("bodies")
    with ScriptedProvider(lambda connection, _: connection.sendall(sized(json.dumps(ANSWER).encode()))) as provider:
        document = {
            "server": {"port": 0},
            "management_token": MANAGEMENT_TOKEN,
            "tokens": [{"name": "a", "token": TOKEN}],
            "request_log": {"enabled": True, "bodies": {"enabled": True}},
            "providers": {
                "openai": {
                    "dialect": "openai",
                    "base_url": f"http://127.0.0.1:{provider.port}/v1",
                    "api_key": PROVIDER_KEY,
                }
            },
        }
        (directory / "gateway.yaml").write_text(json.dumps(document))
        with Gateway(directory, f"--config={directory / 'gateway.yaml'}", variables={}) as gateway:
            yield gateway


def asked(gateway: Gateway, text: str) -> str:
    """Ask something; the request's id."""
    connection = gateway.connection()
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]})
    head = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, head)
    response = connection.getresponse()
    assert PROVIDER_KEY in response.read().decode()
    connection.close()
    request_id = response.getheader("x-request-id")
    assert request_id is not None
    return request_id


def test_bodies_are_kept_without_secrets(gateway: Gateway) -> None:
    """Only once the project wants them; then they are shown, and no secret is in any file."""
    management = Management(gateway)
    before = asked(gateway, "nobody keeps this")
    assert management.ask("PATCH", "/admin/projects/prj_default", {"body_share": 1.0})[0] == 200
    text = f"my token is {TOKEN}, my card {CARD}, write to jane@mail.com about the weather"
    request_id = asked(gateway, text)
    path = f"/admin/requests/{request_id}/bodies"
    eventually(lambda: management.ask("GET", path)[0] == 200)
    status, shown = management.ask("GET", path)
    assert status == 200
    said = json.loads(shown["request"])["messages"][0]["content"]
    assert said == "my token is [redacted], my card [redacted], write to [redacted] about the weather"
    assert json.loads(shown["answer"]) == {**ANSWER, "text": "you sent [redacted]"}
    assert (shown["is_request_cut"], shown["is_answer_cut"]) == (False, False)
    assert management.ask("GET", f"/admin/requests/{before}/bodies")[0] == 404
    kept = b"".join(contents(gateway.data).values())
    assert b"about the weather" in kept
    for secret in (TOKEN, CARD, "jane@mail.com", PROVIDER_KEY):
        assert secret.encode() not in kept


def test_the_command_shows_them(gateway: Gateway, tmp_path: Path) -> None:
    """`sluicegate manage request bodies`."""
    management = Management(gateway)
    assert management.ask("PATCH", "/admin/projects/prj_default", {"body_share": 1.0})[0] == 200
    request_id = asked(gateway, "show me the moon")
    eventually(lambda: management.ask("GET", f"/admin/requests/{request_id}/bodies")[0] == 200)
    key = tmp_path / "key"
    key.write_text(MANAGEMENT_TOKEN)
    key.chmod(0o600)
    where = (f"--manage-api-base-url=http://127.0.0.1:{gateway.port}", f"--management-token=file:{key}")
    done = run("manage", *where, "request", "bodies", request_id)
    assert (done.returncode, "show me the moon" in done.stdout) == (0, True), done
