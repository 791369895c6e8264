"use strict";

// A session that has ended answers callbacks with 401; the page then goes to where one signs in.
{
  const fetchAsBefore = window.fetch;
  window.fetch = async (...request) => {
    const response = await fetchAsBefore(...request);
    if (response.status === 401) {
      location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
      // While the page leaves, Dash's renderer would read the answer's body twice and report that as an error.
      return new Promise(() => {});
    }
    return response;
  };
}
