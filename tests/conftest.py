"""What holds for every test, and what ends a run that measures coverage: the floors of each package.

Property tests try the same examples in every run and look at no clock, so that neither chance nor a slow machine fails
one; Hypothesis has that as its profile for CI.
"""

import pytest
from hypothesis import settings

from tests.rules.coverage_floors import measured, shortfalls

settings.load_profile("ci")

_PERCENTAGES = pytest.StashKey[dict[str, float]]()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session if a package lies below its floor."""
    # A floor for the whole is given by `make test` only: whoever runs a few tests by hand is not asked for it. The
    # processes that tests are spread over know only their own part.
    if hasattr(session.config, "workerinput"):
        return
    if session.config.getoption("cov_fail_under", None):
        percentages = session.config.stash.setdefault(_PERCENTAGES, measured())
        if any(shortfalls(percentages)) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show what each package has reached."""
    percentages = config.stash.get(_PERCENTAGES, {})
    for name, percent in percentages.items():
        terminalreporter.write_line(f"coverage of {name}: {percent:.1f} %")
    for sentence in shortfalls(percentages):
        terminalreporter.write_line(f"FAILED {sentence}", red=True)
