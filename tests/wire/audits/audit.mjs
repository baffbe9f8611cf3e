// Runs graphql-http's audits of GraphQL over HTTP against the URL given; prints one JSON line an audit.
import { auditServer } from "graphql-http";

const results = await auditServer({ url: process.argv[2] });
for (const { id, name, status, reason } of results) {
  console.log(JSON.stringify({ id, name, status, reason }));
}
