// Subscriptions: `node live.mjs URL CLIENT TOKEN [LATER_TOKEN]`. Prints a JSON line for each step: `{step, result}`.
//
// A client is `subscribe(document, variables, sink) -> unsubscribe`; the sink has `next`, `error` and `complete`.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient as createEvents } from "graphql-sse";
import { createClient as createSocket } from "graphql-ws";
import relay from "relay-runtime";
import WebSocket from "ws";

// As browsers and Node.js from version 22 on have it.
globalThis.WebSocket ??= WebSocket;

const [url, name, ...tokens] = process.argv.slice(2);
const accessToken = async () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
const socket = () =>
  createSocket({
    url: url.replace("http", "ws"),
    connectionParams: async () => ({ authorization: `Bearer ${await accessToken()}` }),
  });

function observed(observable, sink) {
  const subscription = observable.subscribe(sink);
  return () => subscription.unsubscribe();
}

const clients = {
  "graphql-ws": () => {
    const client = socket();
    return (query, variables, sink) => client.subscribe({ query, variables }, sink);
  },
  "graphql-sse": () => {
    const client = createEvents({ url, headers: async () => ({ authorization: `Bearer ${await accessToken()}` }) });
    return (query, variables, sink) => client.subscribe({ query, variables }, sink);
  },
  apollo: () => {
    const client = new ApolloClient({
      link: ApolloLink.split(
        ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
        new GraphQLWsLink(socket()),
        new HttpLink({ uri: url, headers: { authorization: `Bearer ${tokens[0]}` } }),
      ),
      cache: new InMemoryCache(),
    });
    return (query, variables, sink) =>
      /^\s*subscription/.test(query)
        ? observed(client.subscribe({ query: gql(query), variables }), {
            ...sink,
            // Errors of a subscription are results to Apollo Client.
            next: ({ data, error }) => (error ? sink.error(error) : sink.next({ data })),
          })
        : (client.query({ query: gql(query), variables }).then(sink.next, sink.error).then(sink.complete), () => {});
  },
  urql: () => {
    const client = socket();
    const exchange = subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: client.subscribe({ query, variables }, sink) }),
      }),
    });
    return withUrql(new Client({ url, exchanges: [exchange, fetchExchange], ...authorized() }));
  },
  "urql by events": () =>
    withUrql(new Client({ url, exchanges: [fetchExchange], fetchSubscriptions: true, ...authorized() })),
  relay: () => {
    const client = socket();
    const { Network, Observable } = relay;
    const fetchOrSubscribe = ({ text }, variables) =>
      Observable.create((sink) => client.subscribe({ query: text, variables }, sink));
    const network = Network.create(fetchOrSubscribe, fetchOrSubscribe);
    return (text, variables, sink) => {
      const operationKind = /^\s*subscription/.test(text) ? "subscription" : "query";
      return observed(network.execute({ text, operationKind, name: "Live" }, variables, {}), sink);
    };
  },
};

function authorized() {
  return { preferGetMethod: false, fetchOptions: { headers: { authorization: `Bearer ${tokens[0]}` } } };
}

function withUrql(client) {
  return (query, variables, sink) => {
    const isLive = /^\s*subscription/.test(query);
    const source = isLive ? client.subscription(query, variables) : client.query(query, variables);
    const { unsubscribe } = source.subscribe(({ data, error, hasNext }) => {
      if (error) sink.error(error);
      else sink.next({ data });
      if (!error && !isLive) sink.complete();
    });
    return unsubscribe;
  };
}

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

const subscribe = clients[name]();
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
