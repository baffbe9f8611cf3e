// PostGraphile for `bench.peers`: `node serve.mjs`, with BENCH_DATABASE_URL and BENCH_PORT.
// Lists instead of connections but for a count, no transaction around a request, and no plan or SQL in the answer.
import { createServer } from "node:http";

import { PgManyToManyPreset } from "@graphile-contrib/pg-many-to-many";
import { PgSimplifyInflectionPreset } from "@graphile/simplify-inflection";
import { postgraphile } from "postgraphile";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const size = Number(process.env.BENCH_POOL ?? 10);
const preset = {
  extends: [
    PostGraphileAmberPreset,
    PgSimplifyInflectionPreset,
    PgManyToManyPreset,
    PostGraphileConnectionFilterPreset,
  ],
  disablePlugins: ["NodePlugin"],
  pgServices: [
    makePgService({
      connectionString: process.env.BENCH_DATABASE_URL,
      schemas: ["public"],
      poolConfig: { min: size, max: size },
    }),
  ],
  schema: { defaultBehavior: "+connection +list" },
  grafast: { explain: false },
  grafserv: { graphiql: false, watch: false, graphqlPath: "/graphql" },
};

const server = createServer();
server.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(process.env.BENCH_PORT), "127.0.0.1");
