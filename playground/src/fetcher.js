// How GraphiQL sends operations: queries and mutations over HTTP, subscriptions over a WebSocket or event stream.
import { getOperationAST, parse } from "graphql";
import { follow } from "./follow.js";
import { patched } from "./patch.js";
import { credentials, post } from "./server.js";
import { set, state } from "./state.js";

const KEPT = 50;

// The number of the last operation. What an earlier one tells late is not shown.
let last = 0;

/** The fetcher of GraphiQL for a viewer. A new one makes GraphiQL introspect the schema anew. */
export function createFetcher(viewer) {
  return (sent, { headers: written } = {}) => {
    const headers = { ...credentials(viewer), ...written };
    if (sent.operationName === "IntrospectionQuery") return post("graphql", sent, headers).then((answer) => answer.json());
    const operation = read(sent);
    // For a moment after a change of tabs, GraphiQL still has the name of the other tab's operation.
    const params = operation ? { ...sent, operationName: operation.name?.value } : sent;
    if (operation?.operation !== "subscription") return run(params, headers, operation);
    // What fails here fails for the subscription too, which tells it.
    explain(params, headers).catch(() => {});
    return { subscribe: (observer) => ({ unsubscribe: watch(params, headers, observer) }) };
  };
}

function read({ query, operationName }) {
  try {
    const document = parse(query);
    return getOperationAST(document, operationName) ?? getOperationAST(document);
  } catch {
    // The server tells what is wrong.
    return null;
  }
}

/** Run a query or a mutation. Its explanation goes to the panel, unless the headers editor has asked for it. */
async function run(params, headers, operation) {
  const own = (last += 1);
  set({ explained: null, run: null, deltas: [] });
  const began = performance.now();
  const response = await post("graphql", params, { "x-clew-explain": state().analyze ? "analyze" : "1", ...headers });
  const text = await response.text();
  const milliseconds = performance.now() - began;
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw { message: `The server answered ${response.status} ${response.statusText}.` };
  }
  const shown = "x-clew-explain" in headers ? answer : withoutExplanation(answer);
  if (own === last) {
    set({
      explained: answer.extensions?.clew ?? null,
      run: { kind: operation?.operation ?? "request", milliseconds, bytes: bytes(shown) },
      job: queued(answer.data, operation) ?? state().job,
    });
  }
  return shown;
}

function withoutExplanation({ extensions, ...answer }) {
  const { clew, ...others } = extensions ?? {};
  return Object.keys(others).length ? { ...answer, extensions: others } : answer;
}

/** The id of the job that a mutation has queued: of its last field that gives an id and a status of jobs. */
function queued(data, operation) {
  if (operation?.operation !== "mutation" || !data) return undefined;
  const states = ["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"];
  return Object.values(data).findLast((row) => row?.id && states.includes(row.status))?.id;
}

/** Follow a subscription. GraphiQL shows each result whole; the sizes of what was sent go to the panel. */
function watch(params, headers, observer) {
  let data;
  let number = 0;
  set({ run: { kind: "subscription", transport: "", results: 0 }, deltas: [] });
  return follow({ ...params, extensions: { patch: true } }, headers, {
    ...observer,
    via: (transport) => set({ run: { ...state().run, transport } }),
    next(result) {
      const patch = result.extensions?.patch;
      data = patch ? patched(data, patch) : result.data;
      const shown = patch ? { data } : result;
      number += 1;
      const delta = { number, at: new Date(), isPatch: Boolean(patch), sent: bytes(result), whole: bytes(shown) };
      set({ run: { ...state().run, results: number }, deltas: [delta, ...state().deltas].slice(0, KEPT) });
      observer.next(shown);
    },
    error(error) {
      set({ run: null });
      observer.error(error);
    },
  });
}

/** Explain a subscription. As a single request it does not run, but is explained. */
async function explain(params, headers) {
  const own = (last += 1);
  set({ explained: null });
  // To that media type this is no failure of the request, which the browser would log.
  const asked = { "x-clew-explain": state().analyze ? "analyze" : "1", ...headers, accept: "application/json" };
  const response = await post("graphql", params, asked);
  const { extensions } = await response.json();
  if (own === last) set({ explained: extensions?.clew ?? null });
}

const bytes = (value) => new TextEncoder().encode(JSON.stringify(value)).length;
