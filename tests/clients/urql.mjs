// urql: `node urql.mjs URL TOKEN reads|writes`.
import { Client, fetchExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { persistedExchange } from "@urql/exchange-persisted";
import { play } from "./steps.mjs";

const [url, token, what] = process.argv.slice(2);
const team = (_, { id }, cache) => {
  const known = cache.resolve("Query", "team", { id });
  return known === undefined ? { __typename: "Team", id } : known;
};

function connect({ fetch, token, get, persisted }) {
  const client = new Client({
    url,
    fetch,
    fetchOptions: { headers: token ? { authorization: `Bearer ${token}` } : {} },
    preferGetMethod: get,
    exchanges: [
      cacheExchange({ resolvers: { Query: { team } } }),
      ...(persisted ? [persistedExchange({ preferGetForPersistedQueries: get })] : []),
      fetchExchange,
    ],
  });
  return {
    query: (document, variables) => settle(client.query(document, variables)),
    mutate: (document, variables) => settle(client.mutation(document, variables)),
  };
}

async function settle(source) {
  const { data, error } = await source.toPromise();
  const codes = error?.networkError ? undefined : error?.graphQLErrors.map(({ extensions }) => extensions.code);
  return error ? { error: { name: error.name, codes } } : { data };
}

await play(connect, token, what);
