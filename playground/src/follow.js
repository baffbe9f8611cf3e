// Subscriptions: over a WebSocket, or over server-sent events where no WebSocket reaches the server.
import { createClient as createStreams, NetworkError } from "graphql-sse";
import { createClient as createSocket } from "graphql-ws";
import { endpoint, refusal } from "./server.js";

// How long a WebSocket may take until the server acknowledges it, in milliseconds. Some proxies let it open, and nothing through.
const PATIENCE = 4000;
// How long to wait before an event stream connects again, in milliseconds.
const PAUSE = 2000;

let hasSockets = "WebSocket" in globalThis;

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
  let isOver = false;
  const stop = () => {
    isOver = true;
    clearTimeout(timer);
    unsubscribe();
    client.dispose();
  };
  const giveUp = () => {
    hasSockets = false;
    stop();
    otherwise();
  };
  const timer = setTimeout(giveUp, PATIENCE);
  const client = createSocket({
    url: endpoint.replace(/^http/, "ws"),
    connectionParams: headers,
    // What was open comes back, also over a reload of the server. Refused credentials do not.
    retryAttempts: Infinity,
    shouldRetry: (event) => opened && event?.code !== 4403,
    on: {
      connected: () => {
        opened = true;
        clearTimeout(timer);
        sink.via("WebSocket");
      },
    },
  });
  const unsubscribe = client.subscribe(operation, {
    next: sink.next,
    complete: () => isOver || sink.complete(),
    error(error) {
      if (isOver) return;
      clearTimeout(timer);
      // A code of 4000 and above is the server's own word; anything else before it opened is no socket at all.
      if (!opened && !(error?.code >= 4000)) giveUp();
      else sink.error(readable(error));
    },
  });
  return stop;
}

function overEvents(operation, headers, sink) {
  const client = createStreams({ url: endpoint, headers, retryAttempts: 0 });
  let opened = false;
  let stop;
  const begin = () => {
    const connected = () => {
      opened = true;
      sink.via("server-sent events, as no WebSocket reaches the server");
    };
    stop = client.subscribe(operation, { next: sink.next, complete: sink.complete, error: failed }, { connected });
  };
  const failed = async (error) => {
    if (error.response && error.response.status < 500) sink.error({ message: await refusal(error.response) });
    else if (opened && error instanceof NetworkError) {
      // What was open comes back, also over a reload of the server.
      sink.via("Connecting again");
      const timer = setTimeout(begin, PAUSE);
      stop = () => clearTimeout(timer);
    } else sink.error({ message: `Neither a WebSocket nor an event stream reaches the server: ${readable(error).message}` });
  };
  begin();
  return () => stop();
}

/** What GraphiQL shows of a close event, of GraphQL errors, or of an error. */
function readable(error) {
  if (Array.isArray(error)) return { message: error.map(({ message }) => message).join(" ") };
  return { message: error?.message || error?.reason || `The connection was closed (${error?.code ?? "no code"}).` };
}
