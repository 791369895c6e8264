(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const PATIENCE_MS = 10000;
    const RETRY_MS = 30000;
    /** Timers that are set for longer run at once. */
    const LONGEST_MS = 2 ** 31 - 1;

    const NO_TICKET = {ticket: null, signedOut: false, redirected: false};

    /**
     * Asks the server, with the cookies of now, whether this page may be connected. The answer is a ticket.
     *
     * A browser tells a page nothing of why a WebSocket was refused; this question tells a user who is signed out from
     * a server that is away.
     */
    live.Tickets = class Tickets {
        /**
         * @param {Window} window
         * @param {string} url Where tickets are to be had.
         */
        constructor(window, url) {
            this.window = window;
            this.url = url;
            this.timer = null;
        }

        /**
         * @returns {Promise<{ticket: ?string, signedOut: boolean, redirected: boolean}>} No ticket and not signed out:
         * the server did not answer. Redirected: it sent us elsewhere, to sign in most likely.
         */
        async fetch() {
            const {window} = this;
            const controller = new window.AbortController();
            const timer = window.setTimeout(() => controller.abort(), PATIENCE_MS);
            try {
                const response = await window.fetch(this.url, {
                    credentials: "same-origin",
                    cache: "no-store",
                    redirect: "manual",
                    headers: {Accept: "application/json"},
                    signal: controller.signal,
                });
                if (isRefusal(response)) {
                    return {...NO_TICKET, signedOut: true, redirected: isRedirect(response)};
                }
                const answer = response.ok ? await response.json() : {};
                return {...NO_TICKET, ticket: answer.ticket || null};
            } catch (unreachable) {
                return NO_TICKET;
            } finally {
                window.clearTimeout(timer);
            }
        }

        /**
         * Ask for a ticket every so often.
         * @param {number} seconds
         * @param {Function} bring Called with each answer that is a ticket or a refusal.
         */
        renewEvery(seconds, bring) {
            this._renewIn(seconds * 1000, seconds * 1000, bring);
        }

        /** Ask no more. */
        stop() {
            this.window.clearTimeout(this.timer);
            this.timer = null;
        }

        _renewIn(milliseconds, interval, bring) {
            this.stop();
            const timer = this.window.setTimeout(async () => {
                const answer = await this.fetch();
                if (this.timer !== timer) {
                    return;
                }
                const isAnswered = Boolean(answer.ticket) || answer.signedOut;
                this._renewIn(isAnswered ? interval : Math.min(interval, RETRY_MS), interval, bring);
                if (isAnswered) {
                    bring(answer);
                }
            }, Math.min(milliseconds, LONGEST_MS));
            this.timer = timer;
        }
    };

    function isRefusal(response) {
        return response.status === 401 || response.status === 403 || isRedirect(response);
    }

    /** Pages that ask to sign in do so by a redirect, which a script may see but not follow. */
    function isRedirect(response) {
        return response.type === "opaqueredirect";
    }
})();
