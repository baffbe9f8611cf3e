// Apollo Client: `node apollo.mjs URL TOKEN reads|writes`.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { createHash } from "node:crypto";
import { play } from "./steps.mjs";

const [uri, token, what] = process.argv.slice(2);
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const team = (known, { args, toReference }) =>
  known === undefined ? toReference({ __typename: "Team", id: args.id }) : known;

function connect({ fetch, token, get, persisted }) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const http = new HttpLink({ uri, fetch, headers, useGETForQueries: get });
  const client = new ApolloClient({
    link: ApolloLink.from([...(persisted ? [new PersistedQueryLink({ sha256 })] : []), http]),
    cache: new InMemoryCache({ typePolicies: { Query: { fields: { team } } } }),
  });
  return {
    query: (document, variables) => settle(client.query({ query: gql(document), variables })),
    mutate: (document, variables) => settle(client.mutate({ mutation: gql(document), variables })),
  };
}

async function settle(promise) {
  try {
    return { data: (await promise).data };
  } catch (error) {
    return { error: { name: error.name, codes: error.errors?.map(({ extensions }) => extensions.code) } };
  }
}

await play(connect, token, what);
