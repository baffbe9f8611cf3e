// What every client is asked to do. A client is `connect(options) -> {query, mutate}`, of which
//
//   options.fetch       what to send requests with
//   options.token       the bearer token, null for none
//   options.get         whether queries are sent by GET
//   options.persisted   whether the hash of a document is tried before the document
//   query(document, variables), mutate(document, variables)
//                       resolve to {data} or to {error: {name, codes}}
//
// and whose cache knows that `team(id:)` is the Team of this id.

const VIEWER = `query Viewer { viewer { id roles } }`;
const TEAM = `query Team($id: String!) { team(id: $id) { id name } }`;
const TEAMS = `query Teams($limit: Int) { teams(orderBy: [{id: ASC}], limit: $limit) { id name } }`;
const TREE = `
  query Tree($of: TeamFilter, $members: Int!) {
    teams(where: $of, orderBy: [{id: ASC}]) {
      ...TeamCard
      members(orderBy: [{id: ASC}], limit: $members) { ...Person teams { ...TeamCard } }
      projects(orderBy: [{id: ASC}], limit: 2) {
        id
        tasks(orderBy: [{id: ASC}]) { id ... on Task { state } }
      }
    }
  }
  fragment TeamCard on Team { id name }
  fragment Person on Member { id label: name }
`;
const CONDITIONS = `
  query Conditions($id: String!, $brief: Boolean!, $people: Boolean!) {
    team(id: $id) {
      id
      name @skip(if: $brief)
      members(limit: 1, orderBy: [{id: ASC}]) @include(if: $people) { id }
    }
  }
`;
const UNKNOWN_FIELD = `query UnknownField { teams { id nonsense } }`;
const TOO_LARGE = `query TooLarge { projects(limit: 1000) { id } }`;
const TOUCH = `mutation Touch($name: String!) { touch(name: $name) }`;

function steps(start) {
  const { query, mutate } = start();
  return {
    anonymous: () => start({ token: null }).query(VIEWER),
    token: () => query(VIEWER),
    "forged token": () => start({ token: "forged" }).query(VIEWER),

    variables: () => query(TEAM, { id: "t0" }),
    "no such row": () => query(TEAM, { id: "t2" }),
    "fragments and nested lists": () => query(TREE, { of: { id: { in: ["t0", "t1"] } }, members: 2 }),
    "skip and include": async () => ({
      brief: await query(CONDITIONS, { id: "t0", brief: true, people: false }),
      full: await query(CONDITIONS, { id: "t0", brief: false, people: true }),
    }),
    mutation: () => mutate(TOUCH, { name: "a" }),

    "unknown field": () => query(UNKNOWN_FIELD),
    "bad variable": () => query(TEAMS, { limit: -1 }),
    "too large": () => query(TOO_LARGE),

    "queries by GET": async () => {
      const { query, mutate, requests } = start({ get: true });
      return { query: await query(TEAM, { id: "t0" }), mutation: await mutate(TOUCH, { name: "a" }), requests };
    },
    "normalised cache": async () => {
      const { query, requests } = start();
      await query(TEAMS, { limit: 2 });
      return { query: await query(TEAM, { id: "t1" }), requests };
    },
    "persisted queries": async () => {
      const { query, requests } = start({ persisted: true });
      return { first: await query(TEAM, { id: "t0" }), second: await query(TEAMS, { limit: 1 }), requests };
    },
  };
}

// Lets a client take the steps, in order, and prints a JSON line for each: `{step, result}`.
export async function play(connect, token) {
  const start = (options = {}) => {
    const requests = [];
    const record = async (resource, init) => {
      const response = await fetch(resource, init);
      requests.push(`${init?.method ?? "GET"} ${response.status}`);
      return response;
    };
    return { requests, ...connect({ token, get: false, persisted: false, ...options, fetch: record }) };
  };
  for (const [step, run] of Object.entries(steps(start))) {
    console.log(JSON.stringify({ step, result: await run() }));
  }
}
