"""Tokens counted where a provider reported none."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from sluicegate.control.counting import COUNTED_BYTES, Counter, Tokenizer, encoding_of, guess
from sluicegate.dialects.openai import OpenAI
from sluicegate.dialects.table import DIALECTS
from sluicegate.wire.link import Count, Counted

CHAT = json.encode({"model": "gpt-4o", "messages": [{"role": "user", "content": "Reply with the word hello."}]})
ANSWER = json.encode({"choices": [{"index": 0, "message": {"role": "assistant", "content": "hello world"}}]})
QUESTION = Count(7, "openai", "chat", "gpt-4o", CHAT, ANSWER, False)
MEBIBYTE = 1024 * 1024


class Words:
    """A tokenizer that takes each word for a token, and remembers what it was asked."""

    def __init__(self) -> None:
        """Start with nothing asked."""
        self.encodings: list[str] = []
        self.most = 0
        self.loads = 0

    def load(self) -> Tokenizer:
        """Hand out itself, and count how often."""
        self.loads += 1
        return self

    def __call__(self, texts: list[str], encoding: str) -> Sequence[int]:
        """Count the words of each text."""
        self.encodings.append(encoding)
        self.most = max(self.most, sum(len(text.encode()) for text in texts))
        return [len(text.split()) for text in texts]


@pytest.fixture(scope="module")
def real() -> Counter:
    """One counter for all tests with the real tokenizer: its vocabulary takes a while to load."""
    return Counter(DIALECTS)


@pytest.fixture
def words() -> Words:
    """A tokenizer of words."""
    return Words()


def test_chat_is_counted_as_the_provider_does(real: Counter) -> None:
    """A chat's prompt counts its text, four tokens for the message and three for the answer's beginning."""
    # "Reply with the word hello." is six tokens, "hello world" two.
    assert real.count(QUESTION) == Counted(7, 6 + 4 + 3, 2, "counted")


def test_two_messages_have_two_frames(real: Counter) -> None:
    """Each message adds four tokens, the beginning of the answer is counted once."""
    messages = [{"role": "system", "content": "hello world"}, {"role": "user", "content": "hello world"}]
    counted = real.count(replace(QUESTION, request=json.encode({"messages": messages})))
    assert counted.input_tokens == 2 * (2 + 4) + 3


def test_anthropic_messages_have_frames_too(words: Words) -> None:
    """Anthropic's messages are counted with the overhead of a chat."""
    request = json.encode({"messages": [{"role": "user", "content": "one two three"}]})
    counted = Counter(DIALECTS, words.load).count(Count(1, "anthropic", "messages", "claude", request, b"a b", True))
    assert counted == Counted(1, 3 + 4 + 3, 2, "counted")


def test_embeddings_have_no_frame(words: Words) -> None:
    """Where there are no messages, the text alone is counted."""
    request = json.encode({"input": ["one two", "three"]})
    question = Count(1, "openai", "embeddings", "text-embedding-3-small", request, b"{}", False)
    assert Counter(DIALECTS, words.load).count(question) == Counted(1, 3, 0, "counted")


def test_captured_text_is_the_answer(words: Words) -> None:
    """Text captured from a stream is counted as it is, not read as JSON."""
    question = replace(QUESTION, answer=b'{"not": "read as JSON"}', is_text=True)
    assert Counter(DIALECTS, words.load).count(question).output_tokens == 5 - 1


def test_unknown_request_has_no_input(words: Words) -> None:
    """Where the request was not held, its input counts for nothing, frames included."""
    assert Counter(DIALECTS, words.load).count(replace(QUESTION, request=b"")) == Counted(7, 0, 2, "counted")


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-4.5-preview", "o200k_base"),
        ("gpt-5", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("openai/gpt-4o", "o200k_base"),
        ("claude-sonnet-4-5", "o200k_base"),
        ("", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("GPT-35-turbo", "cl100k_base"),
        ("ft:gpt-3.5-turbo:acme", "cl100k_base"),
        ("openrouter/openai/gpt-4", "cl100k_base"),
        ("text-embedding-3-large", "cl100k_base"),
    ],
)
def test_encoding_follows_the_model(model: str, encoding: str, words: Words) -> None:
    """The encoding is that of the model's family, and the latest for all others."""
    assert encoding_of(model) == encoding
    Counter(DIALECTS, words.load).count(replace(QUESTION, model=model))
    assert set(words.encodings) == {encoding}


def test_encodings_differ(real: Counter) -> None:
    """The two encodings give different counts for text that only the later one knows well."""
    answer = "こんにちは、世界。今日はとても良い天気ですね。".encode()
    question = replace(QUESTION, answer=answer, is_text=True)
    later, earlier = (real.count(replace(question, model=model)).output_tokens for model in ("gpt-4o", "gpt-4"))
    assert later < earlier


def test_lone_surrogates_are_counted(real: Counter) -> None:
    """Half of a surrogate pair, which JSON can carry, is no reason to guess."""
    half = b'{"messages":[{"role":"user","content":"half \\ud83d of a pair"}]}'
    counted = real.count(replace(QUESTION, request=half))
    assert counted.source == "counted"
    assert counted.input_tokens > 4 + 4 + 3


def test_whole_pairs_survive_the_repair(words: Words) -> None:
    """Text beside a lone surrogate is counted as if the lone one were a replacement character."""
    request = b'{"messages":[{"role":"user","content":"one \\ud83d\\ude00 \\ud83d two"}]}'
    assert Counter(DIALECTS, words.load).count(replace(QUESTION, request=request)).input_tokens == 4 + 4 + 3


def test_surrogates_of_a_dialect_are_repaired() -> None:
    """A dialect may give out half of a surrogate pair; the tokenizer never sees it."""

    class Halves(OpenAI):
        def answer_text(self, operation: str, body: bytes) -> str:
            return "half \ud83d of a pair"

    counted = Counter({"openai": Halves()}).count(QUESTION)
    assert counted.source == "counted"
    assert counted.output_tokens > 4


def test_special_tokens_are_text(real: Counter) -> None:
    """A special token's name in a text is counted as the text it is, and never refused."""
    counted = real.count(replace(QUESTION, answer=b"<|endoftext|>", is_text=True))
    assert counted.source == "counted"
    assert counted.output_tokens > 1


def test_long_text_is_extrapolated(words: Words) -> None:
    """Of a long text a bounded part is counted, and the rest taken to be like it."""
    question = replace(QUESTION, answer=b"word " * MEBIBYTE, is_text=True)
    counted = Counter(DIALECTS, words.load).count(question)
    assert words.most <= COUNTED_BYTES
    assert counted.output_tokens == pytest.approx(MEBIBYTE, rel=1e-5)


def test_many_messages_are_extrapolated(words: Words) -> None:
    """The bound is on all messages together; those beyond it are not looked at."""
    messages = [{"role": "user", "content": "word " * 200_000}] * 5
    counted = Counter(DIALECTS, words.load).count(replace(QUESTION, request=json.encode({"messages": messages})))
    assert words.most <= COUNTED_BYTES
    assert counted.input_tokens == pytest.approx(1_000_000, rel=1e-4)


def test_long_text_is_cut_between_characters(real: Counter) -> None:
    """A bound in the middle of a character is no reason to guess."""
    counted = real.count(replace(QUESTION, answer=b"x" + "é".encode() * MEBIBYTE * 2, is_text=True))
    assert counted.source == "counted"
    assert counted.output_tokens > 0


def test_dropped_text_is_extrapolated(words: Words) -> None:
    """What was not captured of an answer is taken to be like what was."""
    question = replace(QUESTION, answer=b"four", is_text=True, answer_dropped=41)
    assert Counter(DIALECTS, words.load).count(question).output_tokens == 12


def test_dropped_text_alone_is_guessed(words: Words) -> None:
    """Where nothing of an answer was captured, the length of what was dropped decides."""
    question = replace(QUESTION, answer=b"", is_text=True, answer_dropped=41)
    assert Counter(DIALECTS, words.load).count(question).output_tokens == 11


def test_tokenizer_is_loaded_at_need_and_once(words: Words) -> None:
    """Nothing is loaded before the first count, nor again for the second."""
    counter = Counter(DIALECTS, words.load)
    assert words.loads == 0
    assert repr(counter) == "<Counter not loaded>"
    counter.count(QUESTION)
    counter.count(QUESTION)
    assert words.loads == 1
    assert repr(counter) == "<Counter tokenizer>"


@pytest.mark.parametrize("error", [ImportError, OSError, MemoryError])
def test_without_tokenizer_the_length_decides(error: type[Exception]) -> None:
    """A tokenizer that cannot be loaded is asked for once; the texts' lengths are used, and the answer says so."""
    attempts: list[None] = []

    def load() -> Tokenizer:
        attempts.append(None)
        raise error

    counter = Counter(DIALECTS, load)
    # 26 characters and the frame; 11 characters.
    assert counter.count(QUESTION) == counter.count(QUESTION) == Counted(7, 7 + 4 + 3, 3, "length")
    assert len(attempts) == 1
    assert repr(counter) == "<Counter length>"


def test_failing_tokenizer_leaves_a_guess() -> None:
    """A tokenizer that fails on a text leaves a guess from the lengths of the bodies."""

    def fail(texts: list[str], encoding: str) -> Sequence[int]:
        raise RuntimeError("no such encoding")

    counted = Counter(DIALECTS, lambda: fail).count(replace(QUESTION, answer_dropped=9))
    assert counted == Counted(7, -(-len(CHAT) // 4), -(-(len(ANSWER) + 9) // 4), "length")


def test_unknown_dialect_leaves_a_guess(words: Words) -> None:
    """A worker of another version may name a dialect we do not have."""
    assert Counter(DIALECTS, words.load).count(replace(QUESTION, dialect="other")).source == "length"


@settings(max_examples=60)
@given(
    dialect=st.sampled_from([*DIALECTS, "other"]),
    operation=st.sampled_from(["chat", "messages", "embeddings", "responses", "generate", ""]),
    request_body=st.binary() | st.sampled_from([CHAT, b"[]", b'{"messages":7}', b'{"input":[1,2,3]}', b"null"]),
    answer=st.binary() | st.sampled_from([ANSWER, b"[[[", b'{"choices":{}}']),
    is_text=st.booleans(),
    dropped=st.integers(0, 1 << 40),
)
def test_counting_never_fails(
    real: Counter, dialect: str, operation: str, request_body: bytes, answer: bytes, is_text: bool, dropped: int
) -> None:
    """Whatever a body holds, there is a count for the question asked, and none is negative."""
    counted = real.count(Count(3, dialect, operation, "gpt-4o", request_body, answer, is_text, dropped))
    assert counted.number == 3
    assert counted.source in {"counted", "length"}
    assert min(counted.input_tokens, counted.output_tokens) >= 0
    assert counted.output_tokens >= dropped // 64


def test_guess_goes_by_length() -> None:
    """Four bytes are a token, rounded up; what was not captured of an answer counts too."""
    asked = Count(5, "openai", "chat", "m", b"123456789", b"12", is_text=True, answer_dropped=3)
    assert guess(asked) == Counted(5, 3, 2, "length")
    assert guess(replace(asked, request=b"", answer=b"", answer_dropped=0)) == Counted(5, 0, 0, "length")
