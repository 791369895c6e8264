"""Declaring remote callbacks: streaming callbacks whose work is done by a backend."""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from dash.exceptions import PreventUpdate

from .. import _dash
from ..calls import call
from ..declare import declare
from ..exceptions import ConfigurationError
from ..functions import is_generator
from .backend import Backend, Progress, Task
from .forms import Form, named_form, seed_form
from .http import Remote, checked_timeout
from .order import Order
from .shown import Shown

if TYPE_CHECKING:
    from ..app import Flash

logger = logging.getLogger("flash")

Policy = Literal["latest", "queue", "parallel", "ignore"]

_POLICIES = get_args(Policy)

_NOT_TAKEN = {
    "overlap": "A remote callback says it by policy='latest', 'queue', 'parallel' or 'ignore'.",
    "background": "A remote callback waits on the loop and holds nothing up, so leave background out.",
    "api_endpoint": "A remote callback is asked by pages. Leave api_endpoint out.",
    "retry": "Remote(url, retries=2) says how often a call is sent again.",
    "service": "policy= says what the next trigger does, and a remote callback is always live. Leave service out.",
}


def api_callback(
    target: str | Task,
    *args: Any,
    inputs: dict[str, Any] | None = None,
    send: Sequence[str] | None = None,
    progress: Any = None,
    progress_default: Any = None,
    policy: Policy = "latest",
    timeout: float | None = None,
    app: Flash | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a callback whose work another server does. The page stays usable, and the answer is pushed.

    From dash_hub. The function gets the server's answer as ``data`` and returns the values of the outputs. There are
    two forms. With names, ``inputs=dict(a=State("a", "value"), click=Input("go", "n_clicks"))``, the server gets the
    fields of these names, or of those in ``send``, and the function is called ``fn(data, a=..., click=...)``. In
    dash_hub's form, ``Output, InputReceiver, Input, State``, the fields have the names of the components' ids, and
    ``data`` stands where the ``InputReceiver`` does.

    Args:
        target: The address, or a task of a backend: ``remote / "multiply"``.
        *args: Outputs, and in dash_hub's form one :class:`InputReceiver`, Inputs and States.
        inputs: Inputs and States by the names of the fields.
        send: The names of those that are sent; None for all.
        progress: Outputs that show what the server says of its progress: one for its value, or a list of them for a
            list of values.
        progress_default: What they show when the work has ended: a value, or a list of one for each.
        policy: What the next trigger of the same tab does meanwhile: ``"latest"`` gives up the call that runs,
            ``"queue"`` waits for it, ``"parallel"`` runs beside it, ``"ignore"`` does nothing.
        timeout: Seconds after which a call is given up; None as the backend says.
        app: Whose callback it is; None for the first app that is set up.
        **options: As :func:`flash.callback` takes them: ``running``, ``cancel``, ``on_error`` ...
            ``prevent_initial_call`` is True if it is not given.

    Raises:
        ConfigurationError: The declaration cannot work.

    Example:
        >>> @api_callback(
        ...     "http://127.0.0.1:8000/multiply",
        ...     Output("out", "children"),
        ...     inputs=dict(a=State("a", "value"), b=State("b", "value"), click=Input("go", "n_clicks")),
        ...     send=["a", "b"],
        ...     on_error=lambda error: getattr(error, "summary", "That did not work."),
        ... )
        ... async def show(data, a, b, click):
        ...     return f"{a} * {b} = {data['product']}"
    """
    _refuse_options(policy, options)
    form = seed_form(args) if inputs is None else named_form(args, inputs, options.pop("state", None), send)
    if inputs is None and send is not None:
        raise ConfigurationError("send= names fields, and these have names only with inputs=dict(name=Input(...)).")
    job = _Job(
        _task_of(target),
        form,
        Shown.of(progress, progress_default),
        None if timeout is None else checked_timeout(timeout),
        Order(policy),
    )
    register = _dash.global_register() if app is None else app.register
    options |= {"inputs": form.dependencies, "overlap": policy, **form.outputs}
    options.setdefault("prevent_initial_call", True)

    def declare_function(func: Callable[..., Any]) -> Callable[..., Any]:
        if is_generator(func):
            raise ConfigurationError(
                f"{func.__qualname__} is a generator function, and that of a remote callback is called once, with "
                "the answer. Return the values; progress=Output(...) shows what the backend says before."
            )
        declare(register, (), options)(job.streaming(func))
        return func

    return declare_function


@dataclass(frozen=True, slots=True)
class _Job:
    """What one remote callback does."""

    task: Task
    form: Form
    shown: Shown
    timeout: float | None
    order: Order

    def streaming(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The streaming callback that asks the backend, and then the user's function."""

        @functools.wraps(func)
        async def stream(*given: Any, **named: Any) -> AsyncGenerator[Any, None]:
            with self.order.ticket() as ticket:
                try:
                    value = await self.value(func, self.form.values(given, named))
                except PreventUpdate:
                    raise
                except Exception as error:
                    if not ticket.late():
                        raise
                    logger.warning("A call has failed when a newer one had been answered already.", exc_info=error)
                else:
                    yield ticket.checked(value)

        return stream

    async def value(self, func: Callable[..., Any], values: dict[str, Any]) -> Any:
        """What the user's function makes of the backend's answer."""
        args, kwargs = self.form.arguments(await self.answer(values), values)
        return await call(_dash.current_app.get().flash_pool, func, *args, **kwargs)

    async def answer(self, values: dict[str, Any]) -> Any:
        """Ask the backend, show its progress, and return its result."""
        fields = {name: values[name] for name in self.form.send}
        said = self.task.backend.call(self.task.name, fields, call_id=uuid.uuid4().hex, timeout=self.timeout)
        with self.shown.showing() as show:
            async with aclosing(said):
                async for message in said:
                    if not isinstance(message, Progress):
                        return message.value
                    show(message.value)
        raise AssertionError(f"{self.task.backend!r} has given no result.")


def _task_of(target: Any) -> Task:
    if isinstance(target, Task):
        return target
    if isinstance(target, str):
        return Task(Remote(target), "")
    if isinstance(target, Backend):
        raise ConfigurationError(f"{target!r} has many tasks. Name one: remote / 'multiply'.")
    raise ConfigurationError(f"A remote callback begins with an address or remote / 'task', not {target!r}.")


def _refuse_options(policy: Any, options: dict[str, Any]) -> None:
    if policy not in _POLICIES:
        raise ConfigurationError(f"policy must be one of {', '.join(map(repr, _POLICIES))}, not {policy!r}.")
    for name, sentence in _NOT_TAKEN.items():
        if name in options:
            raise ConfigurationError(f"api_callback takes no {name}. {sentence}")
