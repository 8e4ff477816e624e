"""What every reader of a stream fills in."""

import pytest

from sluicegate.dialects.capture import LARGEST_TEXT
from sluicegate.dialects.findings import Findings
from sluicegate.domain.usage import Reading, Usage

USAGE = Usage(3, 4)


def filled() -> Findings:
    """All that a stream can tell."""
    findings = Findings()
    findings.model, findings.response_id, findings.finish_reason, findings.error = "m", "r", "stop", "e"
    findings.is_complete = True
    findings.capture.add(["text"])
    return findings


def test_nothing_told_is_a_cut_stream() -> None:
    """Before its first event a stream is not complete, and all else is unknown."""
    assert Findings().reading(None) == Reading(is_complete=False)


def test_all_that_was_told_arrives() -> None:
    """Each field, and the usage; with that there is nothing to count, so the text stays behind."""
    assert filled().reading(USAGE) == Reading(USAGE, model="m", response_id="r", finish_reason="stop", error="e")


@pytest.mark.parametrize(
    ("usage", "is_final", "is_told_final"), [(None, True, True), (None, False, True), (USAGE, False, False)]
)
def test_text_goes_along_where_it_must_be_counted(usage: Usage | None, is_final: bool, is_told_final: bool) -> None:
    """Without a final usage the text is there, with what was too much of it; no usage at all is final."""
    findings = filled()
    findings.capture.add(["x" * LARGEST_TEXT])
    reading = findings.reading(usage, is_usage_final=is_final)
    assert (reading.text, reading.text_dropped, reading.is_usage_final) == ("text", LARGEST_TEXT, is_told_final)


def test_findings_show_their_state() -> None:
    """How far the stream got."""
    assert repr(filled()) == "<Findings complete=True <Capture bytes=4 dropped=0>>"
