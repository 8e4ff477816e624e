"""Plugins of a worker: what they are shown, what they can change, and what becomes of those that fail."""

import asyncio
import json
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

import msgspec
import pytest

from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.plugins import GROUP, Plugin, RefusedError, Request
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Retries
from sluicegate.domain.tokens import digest
from sluicegate.gateway import pipeline
from sluicegate.gateway.journal import Journal
from sluicegate.gateway.plugins import installed
from sluicegate.wire.link import Counted
from tests.gateway.node import TOKEN, Node, a_provider, a_request, a_snapshot, an_answer, parts
from tests.gateway.sample_plugins import Editor, Redactor, Second, Watcher

BODY = b'{"model":"gpt-4o-mini","messages":[]}'
ANSWER = b'{"model":"gpt-4o-mini","usage":{"prompt_tokens":10,"completion_tokens":20}}'
OTHER = b'{"model":"gpt-4o-mini","messages":["***"]}'

Some = TypeVar("Some", bound=Plugin)


def entry(what: str, name: str = "sample") -> EntryPoint:
    """An entry point of a package."""
    return EntryPoint(name, f"tests.gateway.sample_plugins:{what}", GROUP)


def use(node: Node, *whats: str, **changes: object) -> None:
    """Run with these plugins, each by its class's name."""
    for what in whats:
        node.plugins[what.lower()] = (entry(what),)
    node.services.configure(a_snapshot(plugins=tuple(what.lower() for what in whats), **changes))


def the(node: Node, kind: type[Some]) -> Some:
    """The plugin of this class that was made."""
    plugin = node.services.plugins._loaded[kind.__name__.lower()]
    assert type(plugin) is kind
    return plugin


def asked(node: Node, *arguments: Any, **named: Any) -> tuple[int, dict[str, str], bytes]:
    """What a client gets of a request whose provider answers."""
    client = node.client().says(a_request(*arguments, **named))
    if node.opener.peers:
        node.provider.says(an_answer(ANSWER))
    return parts(client.hears())


# -- unused


def test_who_uses_none_pays_nothing(node: Node) -> None:
    """Neither the stages nor the journal know that there are plugins; one that overrides nothing is not called."""
    services = node.services
    for names in ((), ("Idle",)):
        use(node, *names)
        assert services.on_body == pipeline.ON_BODY
        assert services.on_end == pipeline.ON_END
        assert type(services.journal) is Journal


def test_none_is_installed_by_the_gateway_itself() -> None:
    """Entry points are looked up by name in the group."""
    assert [*installed("redaction")] == []


# -- before_forward


def test_a_request_is_shown_with_its_caller(node: Node) -> None:
    """Before a provider is chosen; an answer of None leaves the bytes as they are."""
    use(node, "Editor")
    node.link.tokens[digest(TOKEN.encode())] = Principal(
        "tok_1", project_id="prj_a", organization_id="org_a", user_id="usr_1", tags=("beta",)
    )
    assert asked(node, "/v1/chat/completions?a=b", BODY)[0] == 200
    [request] = the(node, Editor).seen
    assert request == Request(
        request_id=request.request_id, organization_id="org_a", project_id="prj_a", user_id="usr_1", token_id="tok_1",
        tags=("beta",), method="POST", endpoint="/v1/chat/completions", operation="chat", dialect="openai",
        model="gpt-4o-mini", provider="", has_body=True, is_websocket=False, body=BODY,
    )  # fmt: skip
    assert request.request_id == node.events()[-1].request_id
    assert node.provider.hears().endswith(BODY)


def test_each_plugin_sees_what_the_one_before_made(node: Node) -> None:
    """In the order of the configuration; the provider gets the last body, and the model in it decides who that is."""
    use(node, "Second", "Editor", providers=(a_provider(), a_provider("other")))
    the(node, Second).answer = lambda request: request.body.replace(b"gpt-4o-mini", b"other/large")
    the(node, Editor).answer = lambda request: request.body.replace(b"[]", b'["***"]')
    asked(node, "/v1/chat/completions", BODY)
    assert [request.body for request in the(node, Editor).seen] == [b'{"model":"other/large","messages":[]}']
    assert node.opener.reached == ["other"]
    assert node.provider.hears().endswith(b'{"model":"large","messages":["***"]}')


def test_where_the_path_names_provider_or_model_both_are_shown(node: Node) -> None:
    """What cannot be seen is empty."""
    use(node, "Editor")
    asked(node, "/gemini/v1beta/models/gemini-9:generateContent", b'{"contents":[]}')
    asked(node, "/openai/v1/chat/completions", b'{"model":5}')
    asked(node, "/openai/v1/models", b"", method="GET")
    assert [(one.provider, one.model, one.has_body) for one in the(node, Editor).seen] == [
        ("gemini", "gemini-9", True),
        ("openai", "", True),
        ("openai", "", False),
    ]


def test_a_body_that_is_not_held_is_not_shown(node: Node) -> None:
    """Compressed, or no JSON: a plugin can tell, and refuse."""
    use(node, "Editor")
    asked(node, "/v1/chat/completions", BODY, fields=("Content-Encoding: gzip",))
    [request] = the(node, Editor).seen
    assert (request.has_body, request.body) == (True, b"")


def test_a_websocket_is_told_as_one(node: Node) -> None:
    """What is said over it is shown to nobody."""
    use(node, "Editor")
    fields = ("Connection: Upgrade", "Upgrade: websocket")
    node.client().says(a_request("/openai/v1/realtime", b"", method="GET", fields=fields))
    assert [request.is_websocket for request in the(node, Editor).seen] == [True]


def test_a_refusal_speaks_the_routes_dialect(node: Node) -> None:
    """No provider hears of the request, and what refuses it is told of it afterwards."""
    use(node, "Editor", "Watcher")

    def refuse(_request: Request) -> None:
        raise RefusedError("the prompt holds a card's number", status=422, code="card_number")

    the(node, Editor).answer = refuse
    status, _, body = asked(node, "/v1/messages", BODY)
    assert (status, json.loads(body)["error"]["type"]) == (422, "invalid_request_error")
    assert b"card's number" in body
    status, fields, body = asked(node, "/v1/chat/completions", BODY)
    assert (status, json.loads(body)["error"]["code"]) == (422, "card_number")
    assert fields["x-gateway-error-source"] == "gateway"
    assert node.opener.peers == []
    assert [(one.status, one.error, one.provider) for _, one in the(node, Watcher).seen] == [
        (422, "card_number", "")
    ] * 2
    assert node.services.plugins.failures == {}


def test_a_plugin_that_fails_stops_the_request(node: Node) -> None:
    """The client hears whose fault it is; the log says where, but not what was in the prompt."""
    use(node, "Editor")
    the(node, Editor).answer = lambda request: json.loads(b"[" + request.body)
    status, _, body = asked(node, "/v1/chat/completions", BODY)
    assert status == 500
    assert json.loads(body)["error"]["code"] == "plugin_failed"
    assert b"plugin editor failed (JSONDecodeError); the request was not sent" in body
    assert node.opener.peers == []
    assert len(node.said) == 1
    assert node.said[0].startswith("plugin editor: before_forward failed: JSONDecodeError at ")
    assert node.said[0].endswith("decoder.py:" + node.said[0].rpartition(":")[2])


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_no_plugin_can_leave_a_client_waiting(node: Node, error: BaseException) -> None:
    """Whatever it raises is a failure of its: loops pass over what is meant to end a program or a task."""
    use(node, "Editor", "Watcher")

    def leaves(_request: Request) -> bytes:
        raise error

    the(node, Editor).answer = leaves
    status, _, body = asked(node, "/v1/chat/completions", BODY)
    assert (status, json.loads(body)["error"]["code"]) == (500, "plugin_failed")
    the(node, Editor).answer = lambda _request: None
    the(node, Watcher).error = error
    assert asked(node, "/v1/chat/completions", BODY)[0] == 200
    assert list(node.services.plugins.failures) == ["editor", "watcher"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("text", b"a str for a body"),
        (b"[]", b"a body that is no JSON object"),
        (b"", b"a body that is no JSON object"),
        (b'{"model":5}', b"a body that is no JSON object"),
    ],
)
def test_what_is_no_body_is_not_sent(node: Node, answer: object, words: bytes) -> None:
    """Neither is the body as it was: the plugin did not mean that one."""
    use(node, "Editor")
    the(node, Editor).answer = lambda _request: answer
    status, _, body = asked(node, "/v1/chat/completions", BODY)
    assert status == 500
    assert words in body
    assert node.opener.peers == []


def test_a_body_for_one_that_was_not_shown_is_not_sent(node: Node) -> None:
    """It cannot take its place."""
    use(node, "Editor")
    the(node, Editor).answer = lambda _request: OTHER
    status, _, body = asked(node, "/openai/v1/files", b"", method="GET")
    assert (status, node.opener.peers) == (500, [])
    assert b"whose body is not held" in body


def test_a_request_that_is_sent_again_is_shown_once(node: Node) -> None:
    """The body that plugins made goes to the next provider too."""
    use(node, "Editor", providers=(a_provider(deployment="a"), a_provider(deployment="b")), retries=Retries())
    the(node, Editor).answer = lambda _request: OTHER
    client = node.client().says(a_request("/v1/chat/completions", BODY))
    node.provider.says(an_answer(status="503 Sorry"))
    assert len(node.opener.peers) == 2
    assert node.provider.hears().endswith(OTHER)
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200
    assert len(the(node, Editor).seen) == 1


def test_limits_bound_what_is_sent(node: Node) -> None:
    """A plugin's body that is too large for what is left is refused, though the client's own would do."""
    use(node, "Editor")
    limit = Limit("token", "tok_1", "tokens", Rolling(3600), 1000)
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", limits=(limit,), organization_id="org_a")
    large = b'{"model":"gpt-4o-mini","max_tokens":10,"messages":["%b"]}' % (b"x" * 2000)
    the(node, Editor).answer = lambda _request: large
    client = node.client().says(a_request("/v1/chat/completions", b'{"model":"gpt-4o-mini","max_tokens":10}'))
    while node.link.counted:
        node.link.counted.pop()(Counted(0, 2000, 0, "counted"))
        node.passes(6.0)
    assert parts(client.hears())[0] == 429
    assert node.opener.peers == []


def test_paths_of_the_control_process_are_not_shown(node: Node) -> None:
    """They are no model's business."""
    use(node, "Editor", "Watcher")
    node.client().says(a_request("/v1/key", b"", method="GET"))
    assert node.opener.reached == ["control"]
    assert the(node, Editor).seen == []


# -- after_response


def test_what_came_of_a_request_is_told(node: Node) -> None:
    """With its usage; the request has the body that was sent. A caller whom nobody knows is not shown at all."""
    use(node, "Watcher", "Editor")
    the(node, Editor).answer = lambda _request: OTHER
    client = node.client().says(a_request("/v1/chat/completions", BODY))
    node.now += 0.25
    answer = b'{"model":"gpt-4o-mini-2","usage":{"prompt_tokens":10,"completion_tokens":20}}'
    node.provider.says(an_answer(answer))
    assert parts(client.hears())[0] == 200
    [(request, response)] = the(node, Watcher).seen
    assert request.body == OTHER
    assert (response.status, response.provider, response.model) == (200, "openai", "gpt-4o-mini-2")
    assert response.usage is not None
    assert response.usage.output_tokens == 20
    assert (response.milliseconds, response.is_stream, response.error) == (250.0, False, None)
    assert parts(node.client().says(a_request(token="nobody")).hears())[0] == 401
    assert len(the(node, Watcher).seen) == 1


def test_who_fails_afterwards_harms_nobody(node: Node) -> None:
    """It is told of once a minute, with how often it was; others are told of the answer all the same."""
    use(node, "Watcher")
    watcher = the(node, Watcher)
    watcher.error = RuntimeError("the prompt")
    for _ in range(3):
        assert asked(node, "/v1/chat/completions", BODY)[0] == 200
    node.now += 60
    watcher.error = RefusedError("too late")
    assert asked(node, "/v1/chat/completions", BODY)[0] == 200
    assert len(node.said) == 2
    assert "after_response failed: RuntimeError at " in node.said[0]
    assert "the prompt" not in node.said[0]
    assert node.said[1].endswith("nothing can be refused any more; 2 more failures since the last such line")
    assert repr(node.services.plugins.failures) == "{'watcher': <Failures 4>}"
    assert repr(node.services.plugins) == "<Plugins ['watcher'] missing='' {'watcher': <Failures 4>}>"


def test_a_reload_leaves_what_is_under_way_to_its_plugins(node: Node) -> None:
    """A request that was shown is told of, though its plugin is not used any more, or is one of others by now."""
    use(node, "Watcher", "Editor")
    client = node.client().says(a_request("/v1/chat/completions", BODY))
    editor = the(node, Editor)
    use(node, "Editor")
    assert the(node, Editor) is editor
    use(node)
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200
    assert node.services.plugins._shown == {}
    assert node.services.on_body == pipeline.ON_BODY


# -- on_event


def test_an_event_may_change_before_it_is_written(node: Node) -> None:
    """Its texts; what accounts are made from stays as it was."""
    use(node, "Redactor")
    the(node, Redactor).answer = lambda event: msgspec.structs.replace(event, endpoint="***", status_code=1)
    assert asked(node, "/v1/chat/completions", BODY)[0] == 200
    assert [(event.endpoint, event.status_code) for event in node.events()] == [("***", 200)]
    assert repr(node.services.journal).startswith("<EditedRecord <Journal")


def test_an_event_may_stay_as_it_is(node: Node) -> None:
    """By an answer of None."""
    assert asked(node, "/v1/chat/completions", BODY)[0] == 200  # so that the model's price need not be looked up
    use(node, "Redactor")
    assert asked(node, "/v1/chat/completions", BODY)[0] == 200
    assert node.events()[1:] == the(node, Redactor).seen


def test_both_lines_of_an_event_change(node: Node) -> None:
    """The one with the guess counts, should the worker die before the count is in."""
    use(node, "Redactor")
    the(node, Redactor).answer = lambda event: msgspec.structs.replace(event, model="***")
    answer = b'{"model":"m","choices":[{"message":{"content":"Hello"}}]}'
    node.client().says(a_request("/v1/chat/completions", BODY))
    node.provider.says(an_answer(answer))
    node.link.counted.pop()(Counted(0, 1, 2, "counted"))
    text = b"".join(path.read_bytes() for path in node.directory.glob("*.jsonl") if node.lines())
    assert [line["kind"] for line in map(json.loads, text.splitlines())] == ["pending", "exchange"]
    assert text.count(b'"model":"***"') == 4
    assert [event.model for event in the(node, Redactor).seen] == ["m", "m"]


def test_an_event_is_never_lost(node: Node) -> None:
    """Neither by an error nor by what is no event: it is written as it was."""
    asked(node, "/v1/chat/completions", BODY)  # so that the model's price need not be looked up
    use(node, "Redactor")

    def fail(_event: object) -> None:
        raise ValueError

    for answer in (fail, lambda event: "no event", lambda event: msgspec.structs.replace(event, model=5)):
        the(node, Redactor).answer = answer
        asked(node, "/v1/chat/completions", BODY)
    assert [event.model for event in node.events()] == ["gpt-4o-mini"] * 4
    assert node.services.plugins.failures["redactor"].count == 3


def test_what_is_noted_beforehand_is_changed_too(node: Node) -> None:
    """What another process would make an event of does not exist: a line that was changed stands there instead."""
    use(node)
    limit = Limit("token", "tok_1", "requests", Rolling(3600), 10)
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", limits=(limit,), organization_id="org_a")
    first = node.client().says(a_request("/v1/chat/completions", BODY))
    use(node, "Redactor")
    the(node, Redactor).answer = lambda event: msgspec.structs.replace(event, requested_model="***")
    second = node.client().says(a_request("/v1/chat/completions", BODY))
    assert [line.request_id for line in node.lines()] == [the(node, Redactor).seen[0].request_id]
    for peer in node.opener.peers:
        peer.says(an_answer(ANSWER))
    assert [parts(client.hears())[0] for client in (first, second)] == [200, 200]
    assert [event.requested_model for event in node.events()] == ["***", "***"]
    assert all(event.charges for event in node.events())


def test_a_note_made_before_plugins_were_used_can_be_cleared(node: Node) -> None:
    """The journal behind clears it."""
    use(node, "Redactor")
    node.services.journal.clear(0)
    assert node.services.journal.note((), b"") == -1


# -- loading


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((), "the plugin sample is not installed"),
        ((entry("Editor"), entry("Watcher")), "the plugin sample is installed 2 times"),
        ((entry("fails"),), "the plugin sample cannot be loaded: LookupError('no such rules')"),
        ((entry("ends"),), "the plugin sample cannot be loaded: SystemExit('no rules here')"),
        ((entry("Nothing"),), "the plugin sample cannot be loaded: AttributeError("),
        ((entry("Stranger"),), "tests.gateway.sample_plugins:Stranger makes no sluicegate.domain.plugins.Plugin"),
    ],
)
def test_without_a_plugin_nothing_is_sent(node: Node, found: tuple[EntryPoint, ...], words: str) -> None:
    """A worker that cannot load one says so and refuses; the control process is still reached."""
    node.plugins["sample"] = found
    node.services.configure(a_snapshot(plugins=("sample",)))
    assert [words in line for line in node.said] == [True]
    assert node.said[0].endswith("; no request is sent without it")
    status, _, body = asked(node, "/v1/chat/completions", BODY)
    assert (status, node.opener.peers) == (503, [])
    assert json.loads(body)["error"]["code"] == "plugin_missing"
    node.client().says(a_request("/v1/key", b"", method="GET"))
    assert node.opener.reached == ["control"]


def test_a_missing_plugin_is_tried_anew(node: Node) -> None:
    """At the next configuration; those that are loaded stay the same."""
    node.plugins["editor"] = (entry("Editor"),)
    node.services.configure(a_snapshot(plugins=("editor", "sample", "other")))
    editor = the(node, Editor)
    assert asked(node, "/v1/chat/completions", BODY)[0] == 503
    node.plugins["sample"] = node.plugins["other"] = (entry("Idle"),)
    node.services.configure(a_snapshot(plugins=("editor", "sample", "other")))
    assert the(node, Editor) is editor
    assert asked(node, "/v1/chat/completions", BODY)[0] == 200
