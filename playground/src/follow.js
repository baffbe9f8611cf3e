// Subscriptions: over a WebSocket, or over server-sent events where no WebSocket reaches the server.
import { createClient as createStreams } from "graphql-sse";
import { createClient as createSocket } from "graphql-ws";
import { endpoint, refusal } from "./server.js";

let hasSockets = true;

/**
 * Follow an operation until it ends. The sink gets `next`, `error`, `complete`, and `via` with the transport's name.
 * Returns what ends it before.
 */
export function follow(operation, headers, sink) {
  let stop;
  const overStreams = () => (stop = overEvents(operation, headers, sink));
  if (hasSockets) stop = overSocket(operation, headers, sink, overStreams);
  else overStreams();
  return () => stop();
}

function overSocket(operation, headers, sink, otherwise) {
  let opened = false;
  const client = createSocket({
    url: endpoint.replace(/^http/, "ws"),
    connectionParams: headers,
    // What was open comes back, also over a reload of the server. Refused credentials do not.
    retryAttempts: Infinity,
    shouldRetry: (event) => opened && event?.code !== 4403,
    on: {
      connected: () => {
        opened = true;
        sink.via("WebSocket");
      },
    },
  });
  const unsubscribe = client.subscribe(operation, {
    next: sink.next,
    complete: sink.complete,
    error(error) {
      // A code of 4000 and above is the server's own word; anything else before it opened is no socket at all.
      if (!opened && !(error?.code >= 4000)) {
        hasSockets = false;
        otherwise();
      } else sink.error(readable(error));
    },
  });
  return () => {
    unsubscribe();
    client.dispose();
  };
}

function overEvents(operation, headers, sink) {
  sink.via("server-sent events");
  const client = createStreams({ url: endpoint, headers });
  return client.subscribe(operation, {
    next: sink.next,
    complete: sink.complete,
    error: async (error) => sink.error(error?.response ? { message: await refusal(error.response) } : readable(error)),
  });
}

/** What GraphiQL shows of a close event, of GraphQL errors, or of an error. */
function readable(error) {
  if (Array.isArray(error)) return { message: error.map(({ message }) => message).join(" ") };
  return { message: error?.message || error?.reason || `The connection was closed (${error?.code ?? "no code"}).` };
}
