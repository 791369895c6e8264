(function () {
    "use strict";
    const components = (window.flash_components = window.flash_components || {});
    const {PropTypes, React} = window;

    const TEXTS = {
        none: "Not live",
        connecting: "Connecting ...",
        connected: "Live",
        reconnecting: "Reconnecting ...",
        offline: "Offline",
        "signed-out": "Signed out",
        closed: "Connection closed",
    };
    const NONE = {status: "none", recovered: true, transport: null, client: null, since: null};
    const REPORTED = Object.keys(NONE);

    /** The page's connection, or one that never is, in pages that open none. */
    function connectionOfPage() {
        const live = window.FlashLive;
        return (live && live.connection) || {state: NONE, subscribe: called => (called(NONE), () => {}), resetRecovered() {}};
    }

    /** Mirrors the state of the live connection in its props, and shows it. */
    components.LiveStatus = function LiveStatus(props) {
        const connection = React.useMemo(connectionOfPage, []);
        const [state, setState] = React.useState(connection.state);
        const latest = React.useRef(props);
        const isMounted = React.useRef(false);
        latest.current = props;

        React.useEffect(
            () =>
                connection.subscribe(now => {
                    setState(now);
                    latest.current.setProps(Object.fromEntries(REPORTED.map(name => [name, now[name]])));
                }),
            []
        );
        // What the layout says at first is no news of a callback.
        React.useEffect(() => {
            if (isMounted.current && props.recovered === true && !connection.state.recovered) {
                connection.resetRecovered();
            }
            isMounted.current = true;
        }, [props.recovered]);

        return props.show === false ? null : badge(props, state.status);
    };

    function badge({id, className, style, labels}, status) {
        const classes = ["flash-live-status", `flash-live-status--${status}`, className];
        const text = (labels && labels[status]) || TEXTS[status] || status;
        return React.createElement(
            "span",
            {id, className: classes.filter(Boolean).join(" "), style, role: "status"},
            React.createElement("span", {className: "flash-live-status__dot", "aria-hidden": true}),
            text
        );
    }

    components.LiveStatus.propTypes = {
        id: PropTypes.string,
        status: PropTypes.string,
        recovered: PropTypes.bool,
        transport: PropTypes.string,
        client: PropTypes.string,
        since: PropTypes.number,
        show: PropTypes.bool,
        labels: PropTypes.objectOf(PropTypes.string),
        className: PropTypes.string,
        style: PropTypes.object,
        setProps: PropTypes.func,
    };
})();
