"""Where Gemini's requests name their model beside the path."""

import pytest

from sluicegate.dialects.gemini_models import with_model_repeated


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"models/old","contents":[{"role":"model","parts":[{"text":"model"}]}]}',
        b'{ "content" : {"parts":[{"text":"a"}]}, "model" : "models/old" }',
        b'{"generateContentRequest":{"model": "models/old","contents":[]}}',
        b'{"generate_content_request":{"contents":[],"model":"models/old"}}',
        b'{"requests":[{"model":"models/old","content":{"parts":[1.50]}},{"model":"models/old"},{"content":{}}]}',
        b'{"batch":{"displayName":"b","model":"models/old","inputConfig":{"fileName":"files/1"}}}',
    ],
)
@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("new", b"models/new"),
        ("models/new", b"models/new"),
        ("tunedModels/t", b"tunedModels/t"),
        ('a"b', b'models/a\\"b'),
    ],
)
def test_each_repetition_is_replaced(body: bytes, model: str, name: bytes) -> None:
    """By the resource's name, wherever it stands; all other bytes stay."""
    assert with_model_repeated(body, model) == body.replace(b"models/old", name)


@pytest.mark.parametrize(
    "body",
    [
        b'{"contents":[{"role":"user"}]}',
        b'{"contents":[{"role":"model","parts":[{"model":"models/old"}]}]}',
        b"",
        b'"model"',
        b'{"model":',
        b'{"requests":{"model":"models/old"}}',
        b'{"batch":["model"]}',
        b'{"generateContentRequest":{"model":"models/a","model":"models/b"}}',
        b'{"batch":' * 2_000 + b'{"model":"a"}' + b"}" * 2_000,
    ],
)
def test_all_else_is_left_to_the_provider(body: bytes) -> None:
    """What repeats no model, is no such request, or names two, stays as it is."""
    assert with_model_repeated(body, "new") == body
