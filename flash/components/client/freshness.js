(function () {
    "use strict";
    const components = (window.flash_components = window.flash_components || {});
    const {PropTypes, React} = window;

    /** A shorter run is not shown: a source that runs each second would flicker. */
    const LONG_MS = 400;
    const NOTHING = {at: null, staleAfter: null, error: null, errorId: null, running: false, next: null};

    /** Says how old a source's data is, and what is wrong with it. */
    components.Freshness = function Freshness({children, className, id, labels, state, store, style}) {
        const shown = usePublished(store, state);
        const shownAge = components.describeAge(shown, {
            now: useServerTime(),
            running: useLasting(Boolean(shown.running)),
            labels,
            language: document.documentElement.lang,
        });
        useRenderedAgainIn(shownAge.changesIn);
        return badge({children, className, id, style, at: shown.at, ...shownAge});
    };

    /** Asks the server to run a source now. It is there for those alone whom the server allows it. */
    components.RefreshButton = function RefreshButton({allowed, clicks, id, label, setProps, store}) {
        const isAsking = window.dash_component_api.useDashContext().useLoading();
        const {running} = usePublished(store);
        if (!allowed) {
            return null;
        }
        return React.createElement(
            "button",
            {
                id,
                className: "flash-freshness__refresh",
                type: "button",
                disabled: Boolean(running) || isAsking,
                onClick: () => setProps({clicks: (clicks || 0) + 1}),
            },
            label || "Refresh"
        );
    };

    /** What the page's hidden store holds; what the layout said where there is no such store. */
    function usePublished(store, state) {
        const {useSelector} = window.dash_component_api.useDashContext();
        return useSelector(page => dataOf(page, store)) || state || NOTHING;
    }

    function dataOf({layout, paths}, store) {
        const path = paths && paths.strs && paths.strs[store];
        const found = path && path.reduce((node, key) => node && node[key], layout);
        return found && found.props.data;
    }

    /** The server's clock; the browser's own in a page without a live connection. */
    function useServerTime() {
        const {connection} = window.FlashLive || {};
        const [ahead, setAhead] = React.useState(connection ? connection.state.ahead : 0);
        React.useEffect(() => (connection ? connection.subscribe(state => setAhead(state.ahead)) : undefined), []);
        return Date.now() + ahead;
    }

    /** Whether something is true and has been for a while. */
    function useLasting(isTrue) {
        const [hasLasted, setLasted] = React.useState(false);
        React.useEffect(() => {
            setLasted(false);
            const timer = isTrue && setTimeout(() => setLasted(true), LONG_MS);
            return () => clearTimeout(timer);
        }, [isTrue]);
        return isTrue && hasLasted;
    }

    function useRenderedAgainIn(milliseconds) {
        const [, renderAgain] = React.useReducer(count => count + 1, 0);
        React.useEffect(() => {
            const timer = setTimeout(renderAgain, milliseconds);
            return () => clearTimeout(timer);
        });
    }

    function badge({age, at, children, className, detail, id, kind, message, progress, style, title}) {
        const dateTime = at === null || at === undefined ? undefined : new Date(at).toISOString();
        return React.createElement(
            "span",
            {
                id,
                className: ["flash-freshness", `flash-freshness--${kind}`, className].filter(Boolean).join(" "),
                style,
                title: title || undefined,
            },
            React.createElement("span", {className: "flash-freshness__dot", "aria-hidden": true}),
            age && React.createElement("time", {className: "flash-freshness__age", dateTime}, age),
            age && message && " · ",
            // Always there, so that screen readers follow it. The age, which ticks, is not in it.
            React.createElement(
                "span",
                {className: "flash-freshness__message", role: "status", "aria-live": "polite", title: detail || undefined},
                message
            ),
            progress && (age || message) && " · ",
            progress && React.createElement("span", {className: "flash-freshness__progress"}, progress),
            " ",
            children
        );
    }

    const state = PropTypes.shape({
        at: PropTypes.number,
        staleAfter: PropTypes.number,
        error: PropTypes.string,
        errorId: PropTypes.string,
        running: PropTypes.bool,
        next: PropTypes.number,
    });

    components.Freshness.propTypes = {
        children: PropTypes.node,
        id: PropTypes.string,
        store: PropTypes.string,
        state,
        labels: PropTypes.objectOf(PropTypes.string),
        className: PropTypes.string,
        style: PropTypes.object,
        setProps: PropTypes.func,
    };
    components.RefreshButton.propTypes = {
        id: PropTypes.string,
        store: PropTypes.string,
        label: PropTypes.string,
        clicks: PropTypes.number,
        allowed: PropTypes.bool,
        setProps: PropTypes.func,
    };
})();
