"""One request, its answer, or why there is none."""

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from sluicegate.cli.manage.client import Client, segment
from sluicegate.cli.manage.failure import CONFLICT, FAILED, REFUSED, UNREACHABLE, USAGE, ManageError
from tests.cli.manage.gateway import ScriptedApi
from tests.e2e.scripted import ScriptedProvider, sized


def client(api: ScriptedApi | str, *, timeout: float = 10.0, ca_file: str | None = None) -> Client:
    """A client of an API."""
    return Client(api if isinstance(api, str) else api.url, "credential", timeout=timeout, ca_file=ca_file)


def failure(asked: Client, method: str = "GET", *, key: str | None = None) -> ManageError:
    """What asking fails with."""
    with pytest.raises(ManageError) as raised:
        asked.ask(method, "/admin/things", idempotency_key=key)
    asked.close()
    return raised.value


def test_request_and_answer(api: ScriptedApi) -> None:
    """Credential, conditions and body travel; body and version come back."""
    api.will_answer({"a": 1}, etag='W/"7"')
    asked = client(api.url + "/")
    answer = asked.ask("POST", "/admin/x", query={"q": "%_"}, body={"b": "ü"}, if_match='"6"', idempotency_key="k")
    asked.close()
    assert (answer.body, answer.version) == ({"a": 1}, "7")
    [one] = api.asked
    assert (one.line, one.query, one.body) == ("POST /admin/x", {"q": "%_"}, {"b": "ü"})
    assert one.headers["authorization"] == "Bearer credential"
    assert (one.headers["if-match"], one.headers["idempotency-key"]) == ('"6"', "k")
    assert one.headers["user-agent"].startswith("sluicegate/")
    assert repr(asked) == f"<Client {api.url}>"


def test_no_content(api: ScriptedApi) -> None:
    """An answer without a body is one."""
    api.will_answer(status=204)
    asked = client(api)
    answer = asked.ask("DELETE", "/admin/x")
    asked.close()
    assert (answer.body, answer.version) == (None, None)


def test_refusal(api: ScriptedApi) -> None:
    """A problem becomes its words and an exit status."""
    api.will_answer({"detail": "Somebody else was quicker."}, status=412)
    error = failure(client(api))
    assert (str(error), error.exit_status) == ("Somebody else was quicker.", CONFLICT)


def test_page_of_somebody_else(api: ScriptedApi) -> None:
    """HTML with status 200 is not taken for an answer."""
    api.will_answer(b"<html>")
    error = failure(client(api))
    assert error.exit_status == FAILED
    assert "not JSON" in str(error)


def test_redirection_is_not_followed(api: ScriptedApi) -> None:
    """The credential goes to the address it was given for, and no further."""
    api.will_answer(status=307, location="http://127.0.0.1:1/elsewhere")
    assert "somewhere else" in str(failure(client(api)))
    assert len(api.asked) == 1


def test_nobody_listens() -> None:
    """A refused connection says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(client(f"http://127.0.0.1:{port}"))
    assert error.exit_status == UNREACHABLE
    assert f"127.0.0.1:{port}" in str(error)
    assert str(error).endswith("Else name its address: --manage-api-base-url, or MANAGE_API_BASE_URL")


def test_silence_ends() -> None:
    """Who does not answer is not waited for longer than said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = failure(client(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.05))
    assert error.exit_status == UNREACHABLE


def test_lost_answer_to_a_creation(api: ScriptedApi) -> None:
    """It may have happened: how to get the answer after all is told."""
    error = failure(client(api), "POST", key="key-1")
    assert error.exit_status == UNREACHABLE
    assert "--idempotency-key key-1" in str(error)


def test_lost_answer_to_a_change(api: ScriptedApi) -> None:
    """It may have happened: that is told; nothing of the kind for a question."""
    assert "may have happened" in str(failure(client(api), "DELETE"))
    assert "may have happened" not in str(failure(client(api)))


def test_a_stream_is_poured_as_it_comes(api: ScriptedApi) -> None:
    """Its bytes are nobody's business here."""
    api.will_answer(b"\x00 no json\n", content_type="text/csv")
    asked = client(api)
    assert b"".join(asked.pour("/admin/things", {"a": "b"})) == b"\x00 no json\n"
    asked.close()
    assert (api.asked[0].line, api.asked[0].query) == ("GET /admin/things", {"a": "b"})


def poured(asked: Client) -> tuple[bytes, ManageError]:
    """What came of a stream that fails, and what it fails with."""
    parts: list[bytes] = []
    with pytest.raises(ManageError) as raised:
        parts.extend(asked.pour("/admin/things", {}))
    asked.close()
    return b"".join(parts), raised.value


def test_a_stream_that_ends_half_way_is_not_all_of_it() -> None:
    """What came is kept, and the exit status says that there is more."""
    half = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"

    def answer(peer: socket.socket, request: bytes) -> None:
        del request
        peer.sendall(half)
        peer.close()

    with ScriptedProvider(answer) as server:
        part, error = poured(client(f"http://127.0.0.1:{server.port}"))
    assert (part, error.exit_status, "this is not all of it" in str(error)) == (b"half", UNREACHABLE, True)


def test_a_stream_that_is_none(api: ScriptedApi) -> None:
    """A refusal, somebody else's page and nobody at all are told like those of other requests."""
    api.will_answer({"detail": "No."}, status=403)
    api.will_answer(b"<html>", content_type="text/html; charset=utf-8")
    assert poured(client(api))[1].exit_status == REFUSED
    assert poured(client(api))[1].exit_status == FAILED
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        nothing, error = poured(client(f"http://127.0.0.1:{nobody.getsockname()[1]}"))
    assert (nothing, error.exit_status, "does the gateway run there?" in str(error)) == (b"", UNREACHABLE, True)


def test_pages(api: ScriptedApi) -> None:
    """Each page is asked for with the cursor of the one before, until there is none."""
    api.will_answer({"data": [1], "next_cursor": "a"})
    api.will_answer({"data": [2], "next_cursor": None})
    asked = client(api)
    assert [page["data"] for page in asked.pages("/admin/x", {"limit": "1"})] == [[1], [2]]
    asked.close()
    assert [one.query for one in api.asked] == [{"limit": "1"}, {"limit": "1", "after": "a"}]


def test_list_that_never_ends(api: ScriptedApi) -> None:
    """A cursor that leads nowhere is an error, not an endless loop."""
    for _ in range(2):
        api.will_answer({"data": [], "next_cursor": "a"})
    asked = client(api)
    with pytest.raises(ManageError, match="does not go on"):
        list(asked.pages("/admin/x", {}))
    asked.close()


@pytest.mark.parametrize("body", [[], {"data": 5}, {}])
def test_what_is_no_page(api: ScriptedApi, body: object) -> None:
    """Another form of list is told as what it is."""
    api.will_answer(body)
    asked = client(api)
    with pytest.raises(ManageError, match="no list"):
        list(asked.pages("/admin/x", {}))
    asked.close()


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a:0",
        "http://u:p@a",
        "http://a/?x=1",
        "http://a/#x",
    ],
)
def test_what_is_no_address(url: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(ManageError, match="--manage-api-base-url") as raised:
        client(url)
    assert raised.value.exit_status == USAGE


def test_proxy_is_for_other_machines(api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is asked directly, another through the proxy of the environment."""
    monkeypatch.setenv("HTTP_PROXY", api.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for address in ("127.0.0.1", "localhost"):
        with socket.create_server((address, 0)) as listener:
            port = listener.getsockname()[1]
        failure(client(f"http://{address}:{port}"))
    assert api.asked == []
    api.will_answer({})
    asked = client("http://gateway.example")
    assert asked.ask("GET", "/admin/x").body == {}
    asked.close()
    assert len(api.asked) == 1


def test_certificate_must_be_trusted(tmp_path: Path) -> None:
    """A certificate of nobody is refused; with its authority's file it is taken."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedProvider(lambda connection, _: connection.sendall(sized(b"{}")), context) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert failure(client(url)).exit_status == UNREACHABLE
        asked = client(url, ca_file=str(tmp_path / "ca.pem"))
        assert asked.ask("GET", "/admin/x").body == {}
        asked.close()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authority_that_is_none(tmp_path: Path, content: str | None) -> None:
    """A file that is not there or no certificate is named."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ManageError, match=r"ca\.pem"):
        client("https://gateway.example", ca_file=str(path))


def test_ids_stay_one_segment() -> None:
    """No id leads to another path."""
    assert segment("a/../b?c") == "a%2F..%2Fb%3Fc"
    for value in ("", ".", ".."):
        with pytest.raises(ManageError, match="is no id"):
            segment(value)
