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

const NOTES = `query Notes { notes(orderBy: [{text: ASC}]) { text version author } }`;
const NOTE = `query Note($id: ID!) { note(id: $id) { id text version } }`;
const CREATE = `
  mutation Create($input: NoteCreateInput!) { createNote(input: $input) { id text version author lines { text } } }
`;
const UPDATE = `
  mutation Update($id: ID!, $text: String!, $version: Int) {
    updateNote(id: $id, set: {text: $text}, ifVersion: $version) { id text version }
  }
`;

function reads(start) {
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

function writes(start) {
  const without = ({ data, error }, field) => (error ? { error } : { ...data[field], id: undefined });
  return {
    "create, update and read": async () => {
      const { query, mutate, requests } = start();
      const made = await mutate(CREATE, { input: { text: "first", lines: { create: [{ text: "one" }, { text: "two" }] } } });
      const { id } = made.data.createNote;
      await query(NOTE, { id });
      const changed = await mutate(UPDATE, { id, text: "changed", version: 1 });
      const stale = await mutate(UPDATE, { id, text: "stale", version: 1 });
      return {
        made: without(made, "createNote"),
        changed: without(changed, "updateNote"),
        stale,
        // The caches know the row by what the update gave.
        cached: without(await query(NOTE, { id }), "note"),
        read: await start().query(NOTES),
        requests,
      };
    },
    "taken": () => start().mutate(CREATE, { input: { text: "changed" } }),
    "missing": () => start().mutate(CREATE, { input: {} }),
    "sent again": async () => {
      const { mutate } = start({ key: "5e1c" });
      const made = [await mutate(CREATE, { input: { text: "once" } }), await mutate(CREATE, { input: { text: "once" } })];
      const ids = made.map(({ data }) => data.createNote.id);
      return { same: ids[0] === ids[1], read: await start().query(NOTES) };
    },
  };
}

// Lets a client take the steps, in order, and prints a JSON line for each: `{step, result}`.
export async function play(connect, token, what) {
  const start = (options = {}) => {
    const requests = [];
    const record = async (resource, given) => {
      const init = options.key ? { ...given, headers: { ...given.headers, "idempotency-key": options.key } } : given;
      const response = await fetch(resource, init);
      requests.push(`${init?.method ?? "GET"} ${response.status}`);
      return response;
    };
    return { requests, ...connect({ token, get: false, persisted: false, ...options, fetch: record }) };
  };
  for (const [step, run] of Object.entries({ reads, writes }[what](start))) {
    console.log(JSON.stringify({ step, result: await run() }));
  }
}
