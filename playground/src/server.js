// Where the server is, and who asks it.

// The page is the API's address, under whatever the app is mounted.
export const endpoint = location.origin + location.pathname;
const base = endpoint.replace(/graphql$/, "");

/** The address of another route of the server. */
export const address = (path) => base + path;

/** The headers that say who asks; over a WebSocket they are the payload of `connection_init`. */
export function credentials({ roles, claims, token, secret }) {
  const given = {
    "x-clew-admin-secret": secret,
    authorization: token && `Bearer ${token}`,
    "x-clew-role": roles,
    // A header has no characters beyond ASCII, but JSON can name them all.
    "x-clew-claims": claims.replace(/[^\x20-\x7e]/g, (c) => (c < " " ? " " : "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"))),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value));
}

/** The JSON at a route. An answer that is no success throws the server's words. */
export async function get(path, headers = {}) {
  const response = await fetch(address(path), { headers });
  if (!response.ok) throw new Error(await refusal(response));
  return response.json();
}

export function post(path, body, headers) {
  return fetch(address(path), {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json, application/json;q=0.9", ...headers },
    body: JSON.stringify(body),
  });
}

/** What the server says in a refusal: the messages of its errors. */
export async function refusal(response) {
  try {
    return (await response.json()).errors.map(({ message }) => message).join(" ");
  } catch {
    return `The server answered ${response.status} ${response.statusText}.`;
  }
}
