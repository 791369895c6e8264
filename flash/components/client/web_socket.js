(function () {
    "use strict";
    const components = (window.flash_components = window.flash_components || {});
    const {PropTypes, React} = window;

    /** Holds a socket while it is on the page. Shows nothing. */
    components.WebSocket = function WebSocket(props) {
        const {url, protocols, reconnect, send} = props;
        const latest = React.useRef(props);
        const socket = React.useRef(null);
        const sent = React.useRef(undefined);
        latest.current = props;

        React.useEffect(() => {
            if (!url) {
                return undefined;
            }
            const close = open(latest, socket);
            return () => {
                socket.current = null;
                close();
            };
        }, [url, JSON.stringify(protocols)]);

        React.useEffect(() => {
            if (socket.current) {
                socket.current.reconnect = reconnect !== false;
            }
        }, [reconnect]);

        React.useEffect(() => {
            if (send !== undefined && send !== null && send !== sent.current && socket.current) {
                sent.current = send;
                socket.current.send(typeof send === "string" ? send : JSON.stringify(send));
            }
        }, [send, url]);

        return null;
    };

    /** Open a socket whose events become props. Returns the function that closes it. */
    function open(latest, holder) {
        const turns = new components.Turns(window);
        const {url, protocols, reconnect} = latest.current;
        const set = props => latest.current.setProps(props);
        let messages = 0;
        let errors = 0;
        holder.current = new components.Socket(window, {
            url,
            protocols,
            reconnect: reconnect !== false,
            onmessage: ({data, origin, isTrusted, timeStamp}) => {
                const n = ++messages;
                turns.run(() => set({message: {data, origin, isTrusted, timeStamp, n}}));
            },
            onstate: state => turns.run(() => set({state})),
            onerror: (message, event = {}) => {
                const {isTrusted, timeStamp} = event;
                const n = ++errors;
                turns.run(() => set({error: {message, isTrusted, timeStamp, n}}));
            },
        });
        const {current} = holder;
        return () => {
            turns.end();
            current.close();
        };
    }

    components.WebSocket.propTypes = {
        id: PropTypes.string,
        url: PropTypes.string,
        protocols: PropTypes.arrayOf(PropTypes.string),
        reconnect: PropTypes.bool,
        send: PropTypes.any,
        message: PropTypes.object,
        state: PropTypes.object,
        error: PropTypes.object,
        setProps: PropTypes.func,
    };
})();
