"""What a new dialect need not say."""

from sluicegate.dialects.limits import openai_form
from sluicegate.dialects.usual import Usual


class Novel(Usual):
    """An API that is like most."""


API = Novel()


def test_body_says_it_all() -> None:
    """Neither path nor query name a model, ask for a stream or hold a credential."""
    assert API.model_in_path("models/m:generateContent") is None
    assert API.with_model_in_path("models/m:generateContent", "x") == "models/m:generateContent"
    assert API.with_model_repeated(b'{"model":"models/m"}', "x") == b'{"model":"models/m"}'
    assert not API.is_stream_request("models/m:streamGenerateContent", "stream=true")
    assert API.credential_parameters == frozenset()


def test_streams_are_taken_as_they_come() -> None:
    """Usage is not asked for, so that no event is kept from a client."""
    assert not API.can_include_usage("chat")
    assert not API.is_usage_only(b'{"choices":[],"usage":{"prompt_tokens":1}}')


def test_key_is_a_bearer_token() -> None:
    """It is the only header field that the API needs."""
    assert API.credential_headers("k") == (("authorization", "Bearer k"),)
    assert API.default_headers() == ()


def test_limits_and_errors_are_told_as_most_clients_know_them() -> None:
    """As OpenAI tells its limits, and in JSON."""
    assert API.limit_form("requests", 7, None) == openai_form("requests", 7, None)
    assert API.error_type == b"application/json"


def test_name_is_that_of_the_class() -> None:
    """A dialect shows itself without saying how."""
    assert repr(API) == "<Novel>"
