"use strict";

// A session that has ended answers callbacks with 401; loaded anew, the page is sent to where one signs in.
{
  const fetchAsBefore = window.fetch;
  window.fetch = async (...request) => {
    const response = await fetchAsBefore(...request);
    if (response.status === 401) {
      location.reload();
      // While the page leaves, Dash's renderer would read the answer's body twice and report that as an error.
      return new Promise(() => {});
    }
    return response;
  };
}
