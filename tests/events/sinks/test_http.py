"""One request to a sink, and what its answer means."""

import asyncio
import ssl

import pytest
import trustme

from sluicegate.events.sinks.base import DeliveryError, PermanentError, TooLargeError, TransientError
from sluicegate.events.sinks.http import MOST_OF_AN_ANSWER, Answer, Poster, accepted, decoded
from tests.events.sinks.contract import HANG, NOW, RESET, answer, scripted


def post(*answers: bytes, timeout: float = 60.0) -> Answer:
    """Send one request to a server that answers so."""

    async def story() -> Answer:
        async with scripted(*answers) as server:
            poster = Poster(server.url, timeout=timeout, now=lambda: NOW)
            try:
                return await poster.post(b"{}", {"x-one": "1"})
            finally:
                await poster.close()

    return asyncio.run(story())


def test_an_answer_is_read() -> None:
    """Its status, its body, and when it may be asked again; whatever the status."""
    assert post(answer(503, b"body", "retry-after: 3")) == Answer(503, b"body", 3.0)
    assert post(answer(200)) == Answer(200, b"")
    assert repr(post(answer(200, b"secret"))) == "<Answer 200>"


def test_a_date_is_understood() -> None:
    """`Retry-After` may be a moment, from which the time that is given counts."""
    assert post(answer(429, b"", "retry-after: Sat, 21 Nov 2026 08:33:30 GMT")).retry_after == 10.0


def test_endless_answers_are_cut() -> None:
    """No more than a bounded part is read."""
    assert len(post(answer(200, b"x" * (MOST_OF_AN_ANSWER + 5000))).body) == MOST_OF_AN_ANSWER


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (RESET, "the answer is no HTTP, or ended half way"),
        (b"nonsense\r\n\r\n", "the answer is no HTTP, or ended half way"),
        (HANG, "no answer in time"),
        (answer(200, b"no gzip", "content-encoding: gzip"), "the answer cannot be decoded"),
    ],
)
def test_broken_connections(said: bytes, reason: str) -> None:
    """Each is told in our words, which hold no address."""
    with pytest.raises(TransientError) as caught:
        post(said, timeout=0.2 if said == HANG else 60.0)
    assert str(caught.value) in (reason, "the connection broke")


def test_nobody_there() -> None:
    """An address where nobody listens is a trouble that may pass."""

    async def story() -> None:
        async with scripted() as server:
            url = server.url
        poster = Poster(url, timeout=60.0, now=lambda: NOW)
        with pytest.raises(TransientError, match=r"^cannot connect$"):
            await poster.post(b"", {})
        await poster.close()

    asyncio.run(story())


def test_troubles_of_tls_are_told() -> None:
    """Whoever uses a private authority, or the wrong port, is not left to guess."""

    async def story() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()
            await writer.wait_closed()

        secured = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=context)
        plain = await asyncio.start_server(refuse, "127.0.0.1", 0)
        async with secured, plain:
            for server, reason in (
                (secured, "its certificate is not accepted"),
                (plain, "cannot speak TLS with it"),
            ):
                port = server.sockets[0].getsockname()[1]
                poster = Poster(f"https://127.0.0.1:{port}/", timeout=60.0, now=lambda: NOW)
                with pytest.raises(TransientError) as caught:
                    await poster.post(b"{}", {})
                assert str(caught.value) == reason
                await poster.close()

    asyncio.run(story())


def test_an_address_is_shown_by_its_host() -> None:
    """What follows it may be secret."""
    assert repr(Poster("https://hooks.example/T0/secret?key=1", timeout=1.0, now=lambda: NOW)) == (
        "<Poster hooks.example>"
    )


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *[(200, None), (204, None), (301, PermanentError), (400, PermanentError), (408, TransientError)],
        *[(413, TooLargeError), (429, TransientError), (500, TransientError), (599, TransientError)],
    ],
)
def test_what_a_status_means(status: int, error: type[DeliveryError] | None) -> None:
    """Yes, later, less, or no."""
    said = Answer(status, b"", 4.0)
    if error is None:
        assert accepted(said) is said
        return
    with pytest.raises(error, match=str(status)) as caught:
        accepted(said)
    if isinstance(caught.value, TransientError):
        assert caught.value.retry_after == 4.0


def test_an_api_says_what_may_be_retried() -> None:
    """Where it does, all else is final."""
    with pytest.raises(PermanentError):
        accepted(Answer(500, b""), retried=frozenset({503}))


def test_documents() -> None:
    """A body that is not what it should be is not quoted."""
    assert decoded(Answer(200, b'{"a": 1}'), dict[str, int]) == {"a": 1}
    for body in (b"", b"\xff", b'{"a": "secret"}'):
        with pytest.raises(TransientError, match=r"^status 200, and an answer that is not understood$"):
            decoded(Answer(200, body), dict[str, int])
