"""Declaring remote callbacks: streaming callbacks whose work is done by a backend."""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from dash import Input, Output, State

from .. import _dash
from ..calls import call
from ..context import ctx
from ..declare import declare
from ..exceptions import CallbackValueError, ConfigurationError
from ..functions import is_generator
from .backend import Backend, Progress, Task
from .http import Remote, checked_timeout
from .order import Order
from .seed import InputReceiver

if TYPE_CHECKING:
    from ..app import Flash

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
    form = _seed_form(args) if inputs is None and "state" not in options else _named_form(args, inputs, send, options)
    if inputs is None and send is not None:
        raise ConfigurationError("send= names fields, and these have names only with inputs=dict(name=Input(...)).")
    job = _Job(
        _task_of(target),
        form,
        _Shown.of(progress, progress_default),
        timeout and checked_timeout(timeout),
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
class _Form:
    """How a remote callback was written.

    Attributes:
        outputs: What it says of outputs, as Dash takes it by name.
        dependencies: Inputs and States by the names of the fields.
        send: The names of the fields that are sent.
        place: Where ``data`` stands among the arguments; None when all others are given by name.
    """

    outputs: dict[str, Any]
    dependencies: dict[str, Any]
    send: tuple[str, ...]
    place: int | None

    def arguments(self, data: Any, values: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of the function: those by place, and those by name."""
        if self.place is None:
            return [data], values
        ordered = list(values.values())
        ordered.insert(self.place, data)
        return ordered, {}


@dataclass(frozen=True, slots=True)
class _Shown:
    """Where a page shows the progress of a call.

    Attributes:
        outputs: The properties.
        several: Whether each gets a value of its own.
        default: What they show when the work has ended; None for what they showed last.
    """

    outputs: tuple[Any, ...] = ()
    several: bool = False
    default: Any = None

    @classmethod
    def of(cls, progress: Any, default: Any) -> _Shown:
        several = isinstance(progress, (list, tuple))
        outputs = () if progress is None else tuple(progress) if several else (progress,)
        for output in outputs:
            if not isinstance(output, Output) or output.has_wildcard():
                raise ConfigurationError(f"progress takes an Output of a component, or a list of them, not {output!r}.")
        shown = cls(outputs, several and len(outputs) > 1, default)
        if default is not None and not shown.fits(default):
            raise ConfigurationError(f"progress_default takes one value for each Output of progress, not {default!r}.")
        return shown

    def fits(self, value: Any) -> bool:
        """Whether there is a value for each Output."""
        return not self.several or (isinstance(value, (list, tuple)) and len(value) == len(self.outputs))

    def show(self, value: Any) -> None:
        """Show a value in the tab that asks.

        Raises:
            CallbackValueError: It does not fit.
        """
        if not self.fits(value):
            raise CallbackValueError(
                f"The backend reports its progress by {type(value).__name__}, and progress= has {len(self.outputs)} "
                "Outputs. It must send a list of one value for each."
            )
        for output, each in zip(self.outputs, value if self.several else [value], strict=False):
            ctx.client.set_props(output.component_id, {output.component_property: each})


@dataclass(frozen=True, slots=True)
class _Job:
    """What one remote callback does."""

    task: Task
    form: _Form
    shown: _Shown
    timeout: float | None
    order: Order

    def streaming(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The streaming callback that asks the backend, and then the user's function."""

        @functools.wraps(func)
        async def stream(**values: Any) -> AsyncGenerator[Any, None]:
            ticket = self.order.ticket()
            data = await self.answer(values)
            args, kwargs = self.form.arguments(data, values)
            value = await call(_dash.current_app.get().flash_pool, func, *args, **kwargs)
            yield self.order.checked(ticket, value)

        return stream

    async def answer(self, values: dict[str, Any]) -> Any:
        """Ask the backend, show its progress, and return its result."""
        fields = {name: values[name] for name in self.form.send}
        said = self.task.backend.call(self.task.name, fields, call_id=uuid.uuid4().hex, timeout=self.timeout)
        reported = False
        try:
            async with aclosing(said):
                async for message in said:
                    if not isinstance(message, Progress):
                        return message.value
                    if self.shown.outputs:
                        self.shown.show(message.value)
                        reported = True
        finally:
            if reported and self.shown.default is not None:
                self.shown.show(self.shown.default)
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


def _seed_form(args: tuple[Any, ...]) -> _Form:
    outputs, others = _parted(args)
    receivers = [number for number, each in enumerate(others) if isinstance(each, InputReceiver)]
    if len(receivers) != 1:
        raise ConfigurationError(
            f"A remote callback has one InputReceiver, and here are {len(receivers)}. Write InputReceiver('receiver') "
            "where the answer stands among the arguments, or name the fields: inputs=dict(a=State('a', 'value'), ...)."
        )
    dependencies: dict[str, Any] = {}
    for each in others:
        if isinstance(each, InputReceiver):
            continue
        name = _field_name(each)
        if name in dependencies:
            raise ConfigurationError(
                f"Two inputs would be sent as the field {name!r}: {dependencies[name]} and {each}. Name the fields: "
                f"inputs=dict(first={dependencies[name]!r}, second={each!r})."
            )
        dependencies[name] = each
    return _Form({"output": outputs} if outputs is not _NONE else {}, dependencies, tuple(dependencies), receivers[0])


def _field_name(dependency: Any) -> str:
    if not isinstance(dependency, (Input, State)):
        raise ConfigurationError(
            f"A remote callback takes Outputs, an InputReceiver, Inputs and States, not {dependency!r}."
        )
    if isinstance(dependency.component_id, dict):
        raise ConfigurationError(
            f"{dependency!r} has a dict as its id, which is no name of a field. Name the fields: "
            "inputs=dict(value=Input({...}, 'value'))."
        )
    return str(dependency.component_id)


def _named_form(args: tuple[Any, ...], inputs: Any, send: Any, options: dict[str, Any]) -> _Form:
    outputs, others = _parted(args)
    state = options.pop("state", None)
    if others:
        raise ConfigurationError(
            f"With inputs= the answer is the first argument, and all Inputs and States have names. Put {others[0]!r} "
            "into inputs=dict(name=...), or leave it out if it is an InputReceiver."
        )
    if not isinstance(inputs, dict) or not isinstance(state or {}, dict) or not all(map(_is_name, inputs)):
        raise ConfigurationError(f"inputs names the fields: inputs=dict(a=State('a', 'value'), ...), not {inputs!r}.")
    dependencies = {**inputs, **(state or {})}
    if len(dependencies) < len(inputs) + len(state or {}) or "data" in dependencies:
        raise ConfigurationError(
            "Each field has a name of its own, and 'data' is the answer's. Rename those in inputs= and state=."
        )
    names = list(dependencies) if send is None else list(send) if not isinstance(send, str) else [send]
    if unknown := [name for name in names if name not in dependencies]:
        raise ConfigurationError(f"send names {unknown[0]!r}; inputs= has {', '.join(dependencies)}.")
    return _Form({"output": outputs} if outputs is not _NONE else {}, dependencies, tuple(names), None)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(name)


_NONE: Any = object()


def _parted(args: Iterable[Any]) -> tuple[Any, list[Any]]:
    """The outputs, grouped as they were declared, and all else in one list."""
    outputs: list[Any] = []
    others: list[Any] = []
    for each in args:
        if each is None or isinstance(each, (Output, dict)):
            outputs.append(each)
        elif isinstance(each, (list, tuple)):
            (outputs.append(each) if all(isinstance(one, Output) for one in each) else others.extend(each))
        else:
            others.append(each)
    if not outputs:
        return _NONE, others
    return outputs[0] if len(outputs) == 1 else outputs, others
