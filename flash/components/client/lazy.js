(function () {
    "use strict";
    const components = (window.flash_components = window.flash_components || {});
    const {PropTypes, React} = window;

    const MARGIN = "200px";
    const LABEL = "Loading ...";
    const node = PropTypes.node;

    /** Says once that it has come into view, and shows a skeleton until it has content. */
    components.Lazy = function Lazy(props) {
        const {children, className, height, id, style, visible} = props;
        const element = React.useRef(null);
        const latest = React.useRef(props);
        const hasEnded = useEnded();
        latest.current = props;

        React.useEffect(
            () => (visible ? undefined : watch(element.current, props.margin, () => latest.current.setProps({visible: true}))),
            [visible, props.margin]
        );

        const isEmpty = children === undefined;
        const isBusy = isEmpty && !hasEnded;
        return React.createElement(
            "div",
            {
                id,
                ref: element,
                className: ["flash-lazy", isBusy && visible && "flash-lazy--loading", className].filter(Boolean).join(" "),
                style: {minHeight: height, ...style},
                "aria-busy": isBusy,
            },
            isEmpty ? skeleton(props, isBusy) : children
        );
    };

    /** Whether a callback has run for the component and has ended, whatever came of it. */
    function useEnded() {
        const isLoading = window.dash_component_api.useDashContext().useLoading();
        const [hasEnded, setEnded] = React.useState(false);
        const wasLoading = React.useRef(false);
        React.useEffect(() => {
            setEnded(wasLoading.current && !isLoading);
            wasLoading.current = isLoading;
        }, [isLoading]);
        return hasEnded;
    }

    /** Call a function once, when an element comes near the seen part of the page. */
    function watch(element, margin = MARGIN, called) {
        if (!window.IntersectionObserver) {
            called();
            return undefined;
        }
        const rootMargin = typeof margin === "number" ? `${margin}px` : margin;
        const observer = new window.IntersectionObserver(
            entries => {
                if (entries.some(entry => entry.isIntersecting)) {
                    observer.disconnect();
                    called();
                }
            },
            // The second one is for parts of the page that scroll by themselves, in browsers that know it.
            {rootMargin, scrollMargin: rootMargin}
        );
        observer.observe(element);
        return () => observer.disconnect();
    }

    function skeleton({height, label = LABEL, placeholder, visible}, isBusy) {
        const isOwn = placeholder === undefined || placeholder === null;
        const shape = isOwn
            ? React.createElement("div", {className: "flash-lazy__skeleton", style: {height}, "aria-hidden": true})
            : placeholder;
        // Not before it loads: a page may hold many that nobody has come to.
        const said =
            isBusy &&
            visible && React.createElement("span", {className: "flash-lazy__label", role: "status"}, label);
        return React.createElement(React.Fragment, null, said, shape);
    }

    components.Lazy.propTypes = {
        children: node,
        id: PropTypes.string,
        visible: PropTypes.bool,
        height: PropTypes.oneOfType([PropTypes.number, PropTypes.string]),
        margin: PropTypes.oneOfType([PropTypes.number, PropTypes.string]),
        placeholder: node,
        label: PropTypes.string,
        className: PropTypes.string,
        style: PropTypes.object,
        setProps: PropTypes.func,
    };
})();
