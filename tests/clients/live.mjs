// Subscriptions: `node live.mjs SETUP CLIENT TOKEN [LATER_TOKEN]`. Prints a JSON line for each step: `{step, result}`.
//
// SETUP is a module that makes a client; docs/clients.md has them all.
import { gql } from "@apollo/client";
import WebSocket from "ws";

const [setup, name, ...tokens] = process.argv.slice(2);
// As browsers and Node.js from version 22 on have it.
globalThis.WebSocket ??= WebSocket;
globalThis.accessToken = () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
const { client } = await import(setup);

const isLive = (document) => /^\s*subscription/.test(document);

// How each client sends an operation: `(document, variables, sink) -> unsubscribe`. The sink has `next`, `error` and
// `complete`.
const plain = (query, variables, sink) => client.subscribe({ query, variables }, sink);
const urql = (query, variables, sink) => {
  const source = isLive(query) ? client.subscription(query, variables) : client.query(query, variables);
  const { unsubscribe } = source.subscribe(({ data, error }) => {
    if (error) sink.error(error);
    else sink.next({ data });
  });
  return unsubscribe;
};
const ways = {
  "graphql-ws": plain,
  "graphql-sse": plain,
  apollo: (query, variables, sink) => {
    const options = { query: gql(query), variables };
    if (!isLive(query)) {
      client.query(options).then(sink.next, sink.error);
      return () => {};
    }
    // Errors of a subscription are results to Apollo Client.
    const next = ({ data, error }) => (error ? sink.error(error) : sink.next({ data }));
    const subscription = client.subscribe(options).subscribe({ ...sink, next });
    return () => subscription.unsubscribe();
  },
  urql,
  "urql-events": urql,
  relay: (text, variables, sink) => {
    const operationKind = isLive(text) ? "subscription" : "query";
    const network = client.getNetwork();
    const subscription = network.execute({ text, operationKind, name: "Live" }, variables, {}).subscribe(sink);
    return () => subscription.unsubscribe();
  },
};

// Takes results up to a number of them, or to the end.
function take(subscribe, document, variables, count = Infinity) {
  return new Promise((resolve) => {
    const results = [];
    let unsubscribe = () => {};
    const end = (error) => {
      setTimeout(() => unsubscribe());
      resolve(error === undefined ? results : { results, codes: codes(error) });
    };
    unsubscribe = subscribe(document, variables, {
      next: ({ data, errors }) => {
        if (errors) return end({ errors });
        results.push(data);
        if (results.length === count) end();
      },
      error: end,
      complete: () => end(),
    });
  });
}

const codes = (error) =>
  (Array.isArray(error) ? error : (error.errors ?? error.graphQLErrors ?? error.source?.errors ?? []))
    .map(({ extensions }) => extensions.code);

const subscribe = ways[name];
const CHANNEL = `subscription Channel($name: String!) { channel(name: $name) }`;
const steps = {
  query: () => take(subscribe, `query Who { viewer { id } }`, {}, 1),
  results: () => take(subscribe, `subscription Ticks($to: Int!) { ticks(to: $to) }`, { to: 3 }, 3),
  entities: () => take(subscribe, `subscription Noted { noted { text } }`, {}, 3),
  unknown: () => take(subscribe, `subscription Nope { nope }`, {}),
  unsubscribed: () => take(subscribe, CHANNEL, { name: "one" }, 2),
};
const renewal = { renewed: () => take(subscribe, CHANNEL, { name: "renewed" }, 2) };

for (const [step, run] of Object.entries(tokens.length > 1 ? renewal : steps)) {
  const result = JSON.parse(JSON.stringify(await run()), (key, value) => (key === "__typename" ? undefined : value));
  console.log(JSON.stringify({ step, result }));
}
// Wait until the server has been told, then leave the sockets to their ends.
setTimeout(() => process.exit(), 300);
