"""`sluicegate benchmark`: measure latency and throughput of a gateway that runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import ssl

    from sluicegate.bench.load import Plan, Samples
    from sluicegate.bench.report import Report, Run

_CLOSED, _OPEN = 8, 64
"""Connections of the two kinds of load: few keep a gateway busy, but at a fixed rate none may be missing."""


def benchmark(
    base_url: Annotated[str, typer.Option(help="Address of the gateway.")] = "http://127.0.0.1:8080",
    endpoint: Annotated[str, typer.Option(help="Path to ask.")] = "/v1/chat/completions",
    token: Annotated[str, typer.Option(help="Token to ask with.")] = "",
    requests: Annotated[
        int | None, typer.Option(help="How many requests; 1000 if there is no --duration.", min=1)
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(help=f"Connections; {_CLOSED}, with --rate {_OPEN}.", min=1, max=20_000)
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Requests per second, whatever the gateway does; else each connection waits for its answer."),
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds in which requests are started.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Ask for streams.")] = False,
    model: Annotated[str, typer.Option(help="Model to ask for.")] = "mock-model",
    direct_url: Annotated[
        str | None, typer.Option(help="Provider to ask directly first, to tell what the gateway adds.")
    ] = None,
    direct_token: Annotated[str | None, typer.Option(help="Token for it, if it is another one.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Authorities to trust, PEM, in place of the system's.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds an answer may take.")] = 30.0,
    json: Annotated[Path | None, typer.Option(help="File to write the report to, as JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(help="File to write the latency curve to, as SVG.")] = None,
) -> None:
    """Measure latency, time to the first event, throughput and errors of a gateway under load."""
    from sluicegate.bench.load import Plan
    from sluicegate.bench.report import Report, as_json, as_text
    from sluicegate.bench.request import TargetError, parse_target, request_bytes

    def plan(url: str, secret: str) -> Plan:
        target = parse_target(url)
        return Plan(
            request_bytes(target, endpoint, token=secret, model=model, stream=stream),
            target.host,
            target.port,
            ssl_context=_tls(ca_file) if target.is_tls else None,
            connections=concurrency or (_CLOSED if rate is None else _OPEN),
            requests=1000 if requests is None and duration is None else requests,
            duration=duration,
            rate=rate,
            timeout=timeout,
        )

    try:
        gateway = plan(base_url, token)
        direct = None if direct_url is None else plan(direct_url, token if direct_token is None else direct_token)
    except (TargetError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    # The provider first, so that what it has to warm up is not held against the gateway.
    found_direct = _measured("direct", direct_url, direct) if direct is not None and direct_url is not None else None
    report = Report(_method(gateway, endpoint, stream=stream), _measured("gateway", base_url, gateway), found_direct)
    typer.echo(as_text(report), nl=False)
    if json is not None:
        json.write_bytes(as_json(report))
    if picture is not None:
        _draw(report, picture)
    if not report.gateway.completed:
        raise typer.Exit(1)


def _measured(name: str, url: str, plan: "Plan") -> "Run":
    """Run a load with a bar that shows how far it is. Exits with 1 if there is nobody to connect to."""
    import time

    import uvloop
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from sluicegate.bench.load import Load
    from sluicegate.bench.report import run_of

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Drawn only when told: a thread that does it by itself would take time from what is measured.
    console = Console(stderr=True)
    progress = Progress(*columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal)
    with progress:
        bar = progress.add_task(
            name, total=plan.requests or (plan.rate and plan.duration and plan.rate * plan.duration)
        )

        def show(samples: "Samples") -> None:
            progress.update(bar, completed=samples.completed + samples.failed, refresh=True)

        try:
            samples = uvloop.run(Load(plan, time.perf_counter, show).run())
        except OSError as error:
            typer.echo(f"{url}: {error}", err=True)
            raise typer.Exit(1) from error
    return run_of(url, samples)


def _method(plan: "Plan", endpoint: str, *, stream: bool) -> str:
    """Say in one line how load was made."""
    kind = "closed loop" if plan.rate is None else f"open loop, {plan.rate:g} requests/s"
    bounds = [f"{plan.requests} requests" if plan.requests else "", f"{plan.duration:g} s" if plan.duration else ""]
    what = f"POST {endpoint}" + (", streamed" if stream else "")
    return ", ".join([what, kind, f"{plan.connections} connections", *filter(None, bounds)])


def _draw(report: "Report", path: Path) -> None:
    from sluicegate.bench.picture import picture

    runs = [("gateway", report.gateway), ("direct", report.direct)]
    curves = [(name, run.latency.curve) for name, run in runs if run is not None and run.latency is not None]
    if curves:
        path.write_text(picture(f"Latency: {report.method}", curves), "utf-8")


def _tls(authorities: Path | None) -> "ssl.SSLContext":
    import ssl

    try:
        return ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise typer.BadParameter(f"--ca-file: {error}") from error
