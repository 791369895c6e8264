"""What Flash is for: callbacks that wait, all at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

import figures
from parts import card, graph, heading

from flash import Input, Output, callback, dcc, html, no_update, register_page

register_page(
    __name__,
    path="/waiting",
    name="Waiting",
    title="Waiting · Flash demo",
    description="Plain and asynchronous callbacks that wait at the same time.",
    order=3,
    in_menu=True,
)

JOBS = 4
SECONDS = 0.6

Span = tuple[str, float, float]


def layout() -> html.Div:
    return html.Div(
        [
            heading(
                "Nothing waits in line",
                f"{JOBS} answers of a slow service, {SECONDS} seconds each, fetched in three ways. Start them all: "
                "none holds up another, nor the clock.",
            ),
            html.P(["The server's clock, asked twice a second: ", html.Strong(id="waiting-clock")], className="clock"),
            html.Div(
                [
                    experiment("line", "One after the other", "A plain callback; each waits its turn."),
                    experiment("gather", "asyncio.gather", "One callback that awaits all at once."),
                    experiment("threads", "Four plain callbacks", "One click, a thread for each."),
                ],
                className="columns three",
            ),
            dcc.Interval(id="waiting-tick", interval=500),
            *(dcc.Store(id=f"threads-job-{job}") for job in range(JOBS)),
        ]
    )


def experiment(name: str, title: str, note: str) -> html.Section:
    return card(
        html.Div(
            [
                html.Button("Start", id=f"{name}-start", className="button", type="button"),
                html.Span(id=f"{name}-result", className="result", role="status"),
            ],
            className="row",
        ),
        graph(
            id=f"{name}-figure",
            label=f"When each piece of work ran: {title}",
            height=230,
            figure=timeline([(f"Answer {job + 1}", 0, 0) for job in range(JOBS)]),
        ),
        title=title,
        note=note,
    )


@callback(Output("waiting-clock", "children"), Input("waiting-tick", "n_intervals"))
async def tell_time(_: int | None) -> str:
    return f"{datetime.now():%H:%M:%S.%f}"[:-5]


def while_running(name: str) -> list[tuple[Output, bool, bool]]:
    return [(Output(f"{name}-start", "disabled"), True, False)]


def outcome(name: str) -> tuple[Output, Output]:
    return Output(f"{name}-figure", "figure"), Output(f"{name}-result", "children")


@callback(*outcome("line"), Input("line-start", "n_clicks"), running=while_running("line"), prevent_initial_call=True)
def one_after_the_other(_: int):
    return show([slow_answer(job) for job in range(JOBS)], figures.COMPANY_COLOURS["NFLX"])


@callback(
    *outcome("gather"), Input("gather-start", "n_clicks"), running=while_running("gather"), prevent_initial_call=True
)
async def all_at_once(_: int):
    return show(await asyncio.gather(*map(slow_answer_async, range(JOBS))), figures.ACCENT)


def declare_job(job: int) -> Callable[[int], tuple[int, Span]]:
    """Declare one of the plain callbacks that a single click starts together."""

    @callback(Output(f"threads-job-{job}", "data"), Input("threads-start", "n_clicks"), prevent_initial_call=True)
    def run(clicks: int) -> tuple[int, Span]:
        return clicks, slow_answer(job)

    return run


for number in range(JOBS):
    declare_job(number)


@callback(*outcome("threads"), *(Input(f"threads-job-{job}", "data") for job in range(JOBS)), prevent_initial_call=True)
async def show_threads(*answers: tuple[int, Span] | None):
    clicks = {answer[0] if answer else None for answer in answers}
    if len(clicks) > 1:
        return no_update, no_update
    return show([span for _, span in answers], figures.CONTINENT_COLOURS["Europe"])


def slow_answer(job: int) -> Span:
    start = time.perf_counter()
    time.sleep(SECONDS)
    return f"Answer {job + 1}", start, time.perf_counter()


async def slow_answer_async(job: int) -> Span:
    start = time.perf_counter()
    await asyncio.sleep(SECONDS)
    return f"Answer {job + 1}", start, time.perf_counter()


def show(spans: list[Span], colour: str):
    zero = min(start for _, start, _ in spans)
    moved = [(name, start - zero, end - zero) for name, start, end in spans]
    took = max(end for _, _, end in moved)
    return timeline(moved, colour), f"{took:.1f} s for {JOBS * SECONDS:.1f} s of waiting"


def timeline(spans: list[Span], colour: str = figures.ACCENT):
    """On one scale in all three figures, so that they compare."""
    return figures.timeline(spans, longest=JOBS * SECONDS * 1.1, colour=colour)
