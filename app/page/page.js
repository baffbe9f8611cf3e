// Threads and messages are live queries. An answer is the output of a job: it goes on after a reload.

const $ = (id) => document.getElementById(id);
const token = localStorage.getItem("token"); // of a signed-in person, outside of `clew dev`
let person = localStorage.getItem("person");
let thread = location.hash.slice(1);
let job = null; // the one whose output the page follows
let watching = new AbortController(); // ends what belongs to the open thread

const who = () =>
  token
    ? { authorization: `Bearer ${token}` }
    : person
      ? { "x-clew-role": "user", "x-clew-claims": JSON.stringify({ sub: person }) }
      : {};

async function graphql(query, variables = {}, headers = who()) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
  return data;
}

// The events of an event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html).
async function* events(url, options) {
  const response = await fetch(url, { ...options, headers: { accept: "text/event-stream", ...options.headers } });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const event = { event: "message", data: "" };
      for (const line of block.split("\n")) {
        const at = line.indexOf(":");
        if (at > 0) event[line.slice(0, at)] = line.slice(at + 1).replace(/^ /, "");
      }
      yield event;
    }
  }
}

// Run until it ends or is aborted, again after a lost connection.
async function persist(signal, run) {
  for (let wait = 500; !signal.aborted; wait = Math.min(2 * wait, 10000)) {
    try {
      if (await run()) return;
    } catch (error) {
      if (signal.aborted) return;
      $("notice").textContent = `${error.message} Trying again.`;
    }
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
  }
}

function live(query, variables, signal, show) {
  const body = JSON.stringify({ query, variables });
  const headers = { "content-type": "application/json", ...who() };
  return persist(signal, async () => {
    for await (const { event, data } of events("/graphql", { method: "POST", headers, body, signal })) {
      if (event !== "next") continue;
      const result = JSON.parse(data);
      if (result.errors) throw new Error(result.errors[0].message);
      $("notice").textContent = "";
      show(result.data);
    }
  });
}

function bubble(author, text) {
  const made = document.createElement("div");
  made.className = `message ${author}`;
  made.textContent = text;
  return made;
}

let answer = null; // the bubble of the answer that is arriving, or that was stopped

function showMessages(messages) {
  const log = $("messages");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.replaceChildren(...messages.map(({ author, content }) => bubble(author, content)));
  if (answer) log.append(answer);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// Follow a job's output. `reset`: the job runs again, and its output begins anew.
function follow(id, signal) {
  job = id;
  answer?.remove();
  answer = bubble("ASSISTANT streaming", "");
  answer.id = "answer";
  $("messages").append(answer);
  $("stop").hidden = false;
  let last = null;
  return persist(signal, async () => {
    const headers = { ...who(), ...(last ? { "last-event-id": last } : {}) };
    for await (const event of events(`/jobs/${id}/output`, { headers, signal })) {
      last = event.id ?? last;
      if (event.event === "reset") answer.textContent = "";
      if (event.event === "chunk") {
        answer.textContent += JSON.parse(event.data).data;
        $("messages").scrollTop = $("messages").scrollHeight;
      }
      if (event.event === "final") {
        const { status } = JSON.parse(event.data);
        job = null;
        $("stop").hidden = true;
        if (status === "SUCCEEDED") {
          answer.remove(); // the message is in the thread by now
          answer = null;
        } else {
          answer.className = "message ASSISTANT";
          answer.textContent += status === "CANCELLED" ? " [stopped]" : " [failed]";
        }
        return true;
      }
    }
  });
}

const THREADS = "subscription { threads(orderBy: [{updatedAt: DESC}], limit: 40) { id title agent { name } } }";
const THREAD = `subscription ($id: ID!) {
  thread(id: $id) { messages(orderBy: [{position: ASC}], limit: 100) { author content } }
  replyJobs(where: {threadId: {eq: $id}, status: {in: [QUEUED, RUNNING]}}, limit: 1) { id }
}`;

function open(id) {
  thread = location.hash = id;
  watching.abort();
  watching = new AbortController();
  answer = job = null;
  $("stop").hidden = true;
  for (const button of $("threads").children) button.ariaCurrent = String(button.dataset.id === id);
  const { signal } = watching;
  live(THREAD, { id }, signal, ({ thread: found, replyJobs }) => {
    showMessages(found?.messages ?? []);
    if (replyJobs[0] && replyJobs[0].id !== job) follow(replyJobs[0].id, signal);
  });
}

function showThreads({ threads }) {
  $("threads").replaceChildren(
    ...threads.map(({ id, title, agent }) => {
      const button = document.createElement("button");
      button.dataset.id = id;
      button.textContent = title;
      button.ariaCurrent = String(id === thread);
      const small = document.createElement("small");
      small.textContent = agent?.name ?? "";
      button.append(small);
      button.onclick = () => open(id);
      return button;
    }),
  );
  if (!threads.some(({ id }) => id === thread) && threads.length) open(threads[0].id);
}

$("ask").onsubmit = async (event) => {
  event.preventDefault();
  const prompt = $("prompt").value.trim();
  if (!prompt || !thread) return;
  try {
    const variables = { id: thread, prompt };
    await graphql("mutation ($id: ID!, $prompt: String!) { reply(threadId: $id, prompt: $prompt) { id } }", variables);
    $("prompt").value = $("notice").textContent = "";
  } catch (error) {
    $("notice").textContent = error.message;
  }
};
$("prompt").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    $("ask").requestSubmit();
  }
};
$("stop").onclick = () => job && graphql("mutation ($id: ID!) { cancelJob(id: $id) { status } }", { id: job });

const USAGE = `query usage {
  agentUsages(orderBy: [{day: DESC}]) { day agent { name team { name } } runs failedRuns promptTokens completionTokens cost }
}`;
// A link cannot carry headers: a ticket in its URL stands for them.
$("report").onclick = async (event) => {
  event.preventDefault();
  const path = "/export.csv";
  const headers = { "content-type": "application/json", ...who() };
  const response = await fetch("/tickets", { method: "POST", headers, body: JSON.stringify({ path }) });
  const { ticket, errors } = await response.json();
  if (errors) return void ($("notice").textContent = errors[0].message);
  location.assign(`${path}?${new URLSearchParams({ query: USAGE, ticket })}`);
};

async function start() {
  if (!token) {
    // In `clew dev` the page may look through anybody's eyes.
    const { users } = await graphql("{ users(limit: 30, where: {threads: {some: {}}}) { id displayName } }", {}, {});
    person = users.some(({ id }) => id === person) ? person : users[0].id;
    for (const { id, displayName } of users) $("person").add(new Option(displayName, id, false, id === person));
  }
  live(THREADS, {}, new AbortController().signal, showThreads);
  if (thread) open(thread);
}
$("person").onchange = () => {
  localStorage.setItem("person", $("person").value);
  location.hash = "";
  location.reload();
};
start().catch((error) => ($("notice").textContent = error.message));
