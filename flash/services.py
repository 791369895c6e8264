"""Services, from dash_devices: how a callback is asked for, who gets its results, which of its calls run at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

from .exceptions import ConfigurationError

Transport = Literal["live", "http"]
InitialCall = Literal["page", "server", "none"]
Overlap = Literal["parallel", "queue", "most_recent"]

#: The name of what the calls of one lane have in common: a callback, or a resource.
Lane = tuple[Literal["callback", "resource"], str]


@dataclass(frozen=True, slots=True)
class Service:
    """How the calls of a callback are served. ``service=`` takes one, a preset or one of your own.

    Args:
        transport: ``"live"``: pages ask over the live connection. ``"http"``: by HTTP. None: as the app's
            ``server_service`` says.
        shared: Whether inputs and outputs are the same in all tabs. Such callbacks are declared by
            ``callback_shared``.
        serialized: Whose calls run one after the other, first in, first out. ``"callback"``: those of this callback,
            from all tabs. Any other name is that of a resource, such as a device: the calls of all callbacks that name
            it. None: nothing waits.
        initial_call: Who calls it first. ``"page"``: each page when it appears, as in Dash. ``"server"``: the server,
            once for all tabs (only shared ones). ``"none"``: nobody.
        overlap: What a call does while another runs. ``"parallel"``: it runs beside it. ``"queue"``: it waits for its
            turn. ``"most_recent"``: it waits, and replaces the call that has waited before it.

    Raises:
        ConfigurationError: The fields do not go together.

    Example:
        >>> camera = Service(transport="live", serialized="camera", overlap="queue")
        >>> @callback(Output("photo", "src"), Input("take", "n_clicks"), service=camera)
        ... def take(clicks):
        ...     return device.photo()
    """

    transport: Transport | None = None
    shared: bool = False
    serialized: str | None = None
    initial_call: InitialCall = "page"
    overlap: Overlap = "parallel"

    #: As in Dash: each page calls it, and gets its own results.
    REGULAR: ClassVar[Service]
    #: One state for all tabs; calls run first in, first out, and the server makes the first one.
    SHARED: ClassVar[Service]
    #: The same, but a newer change replaces the one that waits: for slow devices and fast sliders.
    SHARED_MOST_RECENT: ClassVar[Service]
    #: Live and first in, first out across all tabs; only the tab that asks gets the result.
    S2: ClassVar[Service]
    #: Regular, one call at a time, and a newer one replaces the one that waits.
    MOST_RECENT: ClassVar[Service]

    def __post_init__(self) -> None:
        _refuse_unknown("transport", self.transport, (*get_args(Transport), None))
        _refuse_unknown("shared", self.shared, (True, False))
        _refuse_unknown("initial_call", self.initial_call, get_args(InitialCall))
        _refuse_unknown("overlap", self.overlap, get_args(Overlap))
        if self.serialized is not None and not (isinstance(self.serialized, str) and self.serialized.strip()):
            raise ConfigurationError(
                f"serialized takes 'callback', the name of a resource such as 'camera', or None; not "
                f"{self.serialized!r}."
            )
        self._refuse_combinations()

    def _refuse_combinations(self) -> None:
        if self.shared and self.transport == "http":
            raise ConfigurationError(
                "A shared service sends its outputs to all tabs, which HTTP cannot: write transport='live', or "
                "shared=False."
            )
        if self.shared and self.initial_call == "page":
            raise ConfigurationError(
                "A shared service is not called by each page that appears: write initial_call='server' (once for all "
                "tabs) or 'none'."
            )
        if not self.shared and self.initial_call == "server":
            raise ConfigurationError(
                "initial_call='server' is for shared services, whose outputs are the same in all tabs: write "
                "shared=True, or initial_call='page' or 'none'."
            )
        if self.serialized is None and self.overlap != "parallel":
            raise ConfigurationError(
                f"overlap={self.overlap!r} says how calls wait, and without serialized none does: write "
                "serialized='callback' or the name of a resource, or overlap='parallel'."
            )
        if self.serialized is not None and self.overlap == "parallel":
            raise ConfigurationError(
                f"serialized={self.serialized!r} runs one call at a time, and overlap='parallel' several: write "
                "overlap='queue' or 'most_recent', or serialized=None."
            )

    def lane(self, callback_id: str) -> Lane | None:
        """The lane in which the calls of a callback run one after the other; None when they run as they come.

        Args:
            callback_id: Of the callback that has this service. The instances of a pattern with ``MATCH`` share it.
        """
        if self.serialized is None:
            return None
        return ("callback", callback_id) if self.serialized == "callback" else ("resource", self.serialized)


def _refuse_unknown(field: str, value: object, allowed: tuple[object, ...]) -> None:
    if not any(value is each or (isinstance(value, str) and value == each) for each in allowed):
        raise ConfigurationError(f"{field} of a Service must be one of {', '.join(map(repr, allowed))}, not {value!r}.")


Service.REGULAR = Service()
Service.SHARED = Service("live", True, "callback", "server", "queue")
Service.SHARED_MOST_RECENT = Service("live", True, "callback", "server", "most_recent")
Service.S2 = Service("live", False, "callback", "page", "queue")
Service.MOST_RECENT = Service(None, False, "callback", "page", "most_recent")


def service_of(asked: Any, shared: bool) -> Service:
    """The service of a callback.

    Args:
        asked: What ``service=`` says, or None.
        shared: Whether the callback is declared as a shared one.

    Raises:
        ConfigurationError: It is no service, or not one for such a callback.
    """
    service = asked if asked is not None else Service.SHARED if shared else Service.REGULAR
    if not isinstance(service, Service):
        raise ConfigurationError(f"service takes a flash.Service such as Service.S2, not {asked!r}.")
    if service.shared and not shared:
        raise ConfigurationError(
            "This service is shared, and callback declares what each tab has for itself. Declare it with "
            "callback_shared, or write a service with shared=False, such as Service.S2."
        )
    if shared and not service.shared:
        raise ConfigurationError(
            "callback_shared takes a shared service, such as Service.SHARED_MOST_RECENT or "
            "dataclasses.replace(Service.SHARED, serialized='camera'). For others use callback."
        )
    return service


def served(
    args: tuple[Any, ...], kwargs: dict[str, Any], service: Service, asked: bool
) -> tuple[tuple[Any, ...], dict[str, Any], Service]:
    """What a service makes of a declaration, and the declaration of the service.

    Args:
        args: Of the decorator.
        kwargs: Of the decorator.
        service: The callback's.
        asked: Whether the declaration names it.

    Returns:
        The arguments as Dash takes them, and the service: with ``prevent_initial_call=True`` nobody makes the first
        call of a shared callback.

    Raises:
        ConfigurationError: They contradict each other.
    """
    _refuse_unserved(kwargs, service, asked)
    if service.transport == "live":
        kwargs = {**kwargs, "websocket": True}
    if not service.shared and service.initial_call == "page":
        return args, kwargs, service
    args, prevented = _prevented(args, kwargs)
    if not service.shared and prevented not in (None, True):
        raise ConfigurationError(
            f"initial_call='none' and prevent_initial_call={prevented!r} contradict each other: leave one of them out."
        )
    if prevented is True:
        service = replace(service, initial_call="none")
    return args, {**kwargs, "prevent_initial_call": True}, service


def _prevented(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
    """The arguments without ``prevent_initial_call`` as the last of them, and what it says by whatever way."""
    prevented = kwargs.get("prevent_initial_call")
    if prevented is None and args and isinstance(args[-1], bool):
        return args[:-1], args[-1]
    return args, prevented


def served_app(server_service: Any, options: dict[str, Any], live: bool | dict[str, Any] | None) -> dict[str, Any]:
    """The arguments of an app as Dash takes them, from its ``server_service``.

    Args:
        server_service: How its regular callbacks are asked for: ``"live"``, ``"http"`` or None.
        options: Its arguments as Dash takes them.
        live: Whether its pages have a live connection.

    Raises:
        ConfigurationError: They contradict each other.
    """
    if server_service is None:
        return options
    if not isinstance(server_service, str) or server_service not in get_args(Transport):
        raise ConfigurationError(
            "server_service says how regular callbacks are asked for: 'live', 'http', or None (as websocket_callbacks "
            f"says); not {server_service!r}."
        )
    goes_live = server_service == "live"
    if options.get("websocket_callbacks", goes_live) not in (None, goes_live):
        raise ConfigurationError(
            f"server_service={server_service!r} and websocket_callbacks={options['websocket_callbacks']!r} contradict "
            "each other. Leave websocket_callbacks out."
        )
    if goes_live and (live is False or isinstance(live, dict) and live.get("enabled") is False):
        raise ConfigurationError(
            "server_service='live' needs the live connection, which live=False switches off. Leave live out, or write "
            "server_service='http'."
        )
    return {**options, "websocket_callbacks": goes_live}


def _refuse_unserved(kwargs: dict[str, Any], service: Service, asked: bool) -> None:
    if kwargs.get("background") and (asked or service.shared):
        raise ConfigurationError(
            "A background callback runs in its manager, over HTTP and beside others, so it takes no service. Leave "
            "background=True out, or the service."
        )
    if kwargs.get("api_endpoint") and (service.serialized is not None or service.shared):
        raise ConfigurationError(
            "An api_endpoint calls the function beside the calls of pages, and this service has one at a time. Leave "
            "api_endpoint out, or write a service without serialized."
        )
    contradiction = {"live": False, "http": True}.get(service.transport or "")
    if contradiction is not None and kwargs.get("websocket") is contradiction:
        raise ConfigurationError(
            f"The service has transport={service.transport!r}, which websocket={contradiction} contradicts. Leave "
            "websocket out."
        )
