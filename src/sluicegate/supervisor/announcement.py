"""What is printed once the node is ready."""

from sluicegate.control.channel import Plan
from sluicegate.supervisor.address import EVERYWHERE, url

_QUESTION = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'


def announcement(
    plan: Plan, *, host: str, port: int, version: str, demo_token: str | None, log_file: str | None
) -> str:
    """Say where the gateway is, what it runs on and how to stop it. `log_file` is that of a daemon, else None."""
    address = url(host, port, is_tls=plan.certificate is not None)
    everywhere = " on every interface" if host in EVERYWHERE else ""
    rows = [
        ("address", address + everywhere),
        ("configuration", plan.source),
        ("data", plan.data_dir),
    ]
    if demo_token is not None:
        rows.append(("token", demo_token))
    if log_file is not None:
        rows.append(("log", log_file))
    rows.append(("stop", f"sluicegate stop --data-dir {quoted(plan.data_dir)}" if log_file else "Ctrl-C"))
    rows += [("attention", words) for words in plan.missing.splitlines()]
    lines = [f"Sluicegate {version} is ready.", "", *(f"  {name:<14} {value}" for name, value in rows)]
    if demo_token is not None:
        lines += ["", "Try it:", "", _curl(address, demo_token)]
    return "\n".join([*lines, ""])


def quoted(text: str) -> str:
    """Write a word so that a POSIX shell reads it back."""
    if text and all(character.isalnum() or character in "@%+=:,./-_" for character in text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _curl(address: str, token: str) -> str:
    # One line, so that it can be copied as a whole from any terminal.
    headers = f"-H 'Authorization: Bearer {token}' -H 'Content-Type: application/json'"
    return f"curl {address}/v1/chat/completions {headers} -d '{_QUESTION}'"
