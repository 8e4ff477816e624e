"""Tokens of exchanges whose provider reported none, counted in the texts that went to and came from the model.

Rule 1. A count is exact for the text of OpenAI's models and near for others, whose tokenizers are not public.
Rule 2. What a chat adds around its messages is counted as OpenAI's cookbook does ("How to count tokens with tiktoken"):
        three tokens for each message and one for its role, and three that begin the answer.
Rule 3. Work is bounded: of a long text a part is counted, and the rest taken to be like it.
Rule 4. Nothing fails here: without a tokenizer, or text it can read, the length decides, and the answer says so.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from sluicegate.dialects.base import Dialect
from sluicegate.dialects.table import DIALECTS
from sluicegate.wire.link import Count, Counted

Tokenizer = Callable[[list[str], str], Sequence[int]]
"""Counts the tokens of each text in a named encoding."""

COUNTED_BYTES = 2 * 1024 * 1024
"""Of each side of an exchange, in UTF-8: some 20 ms of work, and more than any model's context holds."""

BYTES_PER_TOKEN = 4
"""Of English text, as providers' documentation has it."""

_PER_MESSAGE = 3 + 1
_PER_ANSWER = 3
_CHATS = frozenset({"chat", "messages"})

_FAULTS = (AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""What may go wrong with strangers' bodies and a native library; a fault beyond these is left to the caller's log."""

_LATEST = "o200k_base"
_EARLIER = "cl100k_base"
_MODELS_OF_LATEST = ("gpt-4o", "gpt-4.1", "gpt-4.5")
_MODELS_OF_EARLIER = ("gpt-4", "gpt-3.5", "gpt-35", "text-embedding-3", "text-embedding-ada-002")
"""Prefixes; Azure writes `gpt-35`. Whatever else there is, newer models most of all, is counted in the latest."""


def load_tokenizer() -> Tokenizer:
    """The real tokenizer. Raises ImportError where the platform has no build of it.

    Its vocabulary of some 60 MB for each encoding is loaded at the first count.
    """
    batch_count = import_module("toktok").batch_count

    def count(texts: list[str], encoding: str) -> Sequence[int]:
        # One thread: the other cores are the workers'.
        counts: Sequence[int] = batch_count(texts, encoding, threads=1)
        return counts

    return count


def encoding_of(model: str) -> str:
    """The encoding of a model's name, also of a fine-tuned (`ft:gpt-4o:…`) or a prefixed one (`openai/gpt-4`)."""
    name = model.lower().removeprefix("ft:").rpartition("/")[2]
    if name.startswith(_MODELS_OF_EARLIER) and not name.startswith(_MODELS_OF_LATEST):
        return _EARLIER
    return _LATEST


class Counter:
    """Counts for one control process. Loads its tokenizer when it first needs it."""

    __slots__ = ("_dialects", "_is_loaded", "_load", "_tokenizer")

    def __init__(
        self,
        dialects: Mapping[str, Dialect] = DIALECTS,
        load_tokenizer: Callable[[], Tokenizer] = load_tokenizer,
    ) -> None:
        """`load_tokenizer` is called once, at the first count; it may fail."""
        self._dialects = dialects
        self._load = load_tokenizer
        self._is_loaded = False
        self._tokenizer: Tokenizer | None = None

    def __repr__(self) -> str:
        """Tell what it counts with."""
        state = "not loaded" if not self._is_loaded else "length" if self._tokenizer is None else "tokenizer"
        return f"<Counter {state}>"

    def count(self, message: Count) -> Counted:
        """The tokens of one exchange. Never raises; `source` is `counted`, or `length` for a guess."""
        try:
            return self._count(message)
        except _FAULTS:
            return guess(message)

    def _count(self, message: Count) -> Counted:
        dialect = self._dialects[message.dialect]
        prompt = dialect.prompt_text(message.operation, message.request) if message.request else []
        if message.is_text:
            answer = message.answer.decode("utf-8", "replace")
        else:
            answer = dialect.answer_text(message.operation, message.answer)
        encoding = encoding_of(message.model)
        tokenizer = self._loaded()
        source = "length" if tokenizer is None else "counted"
        around = _PER_MESSAGE * len(prompt) + _PER_ANSWER if prompt and message.operation in _CHATS else 0
        return Counted(
            message.number,
            _tokens(tokenizer, prompt, encoding, 0) + around,
            _tokens(tokenizer, [answer], encoding, message.answer_dropped),
            source,
        )

    def _loaded(self) -> Tokenizer | None:
        if not self._is_loaded:
            self._is_loaded = True
            try:
                self._tokenizer = self._load()
            except (ImportError, *_FAULTS):
                self._tokenizer = None
        return self._tokenizer


def guess(message: Count) -> Counted:
    """What the lengths alone of what was sent and came say, for want of anything better."""
    output = len(message.answer) + message.answer_dropped
    return Counted(message.number, _by_length(len(message.request)), _by_length(output), "length")


def _tokens(tokenizer: Tokenizer | None, texts: list[str], encoding: str, dropped: int) -> int:
    """Tokens of `texts` and of `dropped` bytes more that are not here, rounded up."""
    encoded = [_encoded(text) for text in texts]
    size = sum(map(len, encoded))
    kept, kept_size = _within(encoded, size)
    if tokenizer is None or not kept_size:
        return _by_length(size + dropped)
    counted = sum(tokenizer(kept, encoding))
    return -(-counted * (size + dropped) // kept_size)


def _encoded(text: str) -> bytes:
    """UTF-8. Half of a surrogate pair, which JSON can escape and no tokenizer reads, becomes one U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _within(texts: list[bytes], size: int) -> tuple[list[str], int]:
    """The first COUNTED_BYTES of `texts`, and how many bytes that are."""
    if size > COUNTED_BYTES:
        kept: list[bytes] = []
        room = COUNTED_BYTES
        for text in texts:
            kept.append(text[:room])
            room -= len(kept[-1])
        texts, size = kept, COUNTED_BYTES
    # A character that was cut in half counts for nothing.
    return [text.decode("utf-8", "ignore") for text in texts], size


def _by_length(size: int) -> int:
    """Tokens of so many bytes of text."""
    return -(-size // BYTES_PER_TOKEN)
