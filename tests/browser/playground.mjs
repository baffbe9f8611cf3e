// Goes through the playground in Chromium, and prints what it saw as one line of JSON.
// Arguments: the address, a person's id, and a folder for pictures. Below `/api` no WebSocket reaches the server.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [address, person, pictures] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
const foreign = [];
const faults = [];
const violations = new Set();

// What axe finds in GraphiQL's own parts and Monaco's, where no style or label of ours mends it: the rule, where, and why.
const THEIRS = [
  ["nested-interactive", ".graphiql-tab", "a tab holds the button that chooses it, and the one that closes it; the keyboard reaches both"],
  ["label-content-name-mismatch", ".graphiql-history-item-label", "GraphiQL names all these buttons alike"],
  ["page-has-heading-one", "html", "while the search is open, all other parts of the page are inert"],
  ["aria-valid-attr-value", ".suggest-widget .monaco-list", "Monaco names the chosen row by another id than the row has"],
  ["aria-allowed-attr", ".quick-input-list .monaco-list-row", "Monaco gives the rows of its commands a level"],
  ["label-content-name-mismatch", ".quick-input-list .monaco-list-row", "Monaco reads keys otherwise than it shows them"],
  ["aria-progressbar-name", ".quick-input-progress", "Monaco's bar is always there, and shows nothing"],
];

/** A page of a new visitor, whose faults are noted. Nothing comes from elsewhere. */
async function visitor(path, colorScheme, prepare) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, colorScheme });
  await context.route("**/*", (route) => {
    const url = route.request().url();
    if (url.startsWith(address) || url.startsWith("blob:")) return route.continue();
    foreign.push(url);
    return route.abort();
  });
  await prepare?.(context);
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.setDefaultTimeout(60_000);
  await page.goto(address + path);
  await page.waitForSelector(".graphiql-query-editor .view-line");
  const show = (panel) => page.click(`[aria-label="Show ${panel}"]`);
  return {
    page,
    show,
    text: (selector) => page.locator(selector).allTextContents(),
    run: () => page.click(".graphiql-execute-button"),
    tab: (name) => page.click(`.graphiql-tab button[title="${name}"]`),
    /** The text of an editor, which may be set: as it is typed, the editor would add brackets. */
    editor: (name, text) =>
      page.evaluate(
        ([end, value]) => {
          const model = globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith(end));
          if (value !== undefined) model.setValue(value);
          return model.getValue();
        },
        [name, text],
      ),
    /** Wait for a text in the result, or elsewhere. */
    holds: (text, selector = ".result-window .view-lines") =>
      page.waitForFunction(
        ([where, what]) => document.querySelector(where)?.textContent.replaceAll("\u00a0", " ").includes(what),
        [selector, text],
      ),
    /** Take a picture, and let axe look. */
    async look(name) {
      await page.screenshot({ path: `${pictures}/${name}.png` });
      await page.evaluate(axe);
      const found = await page.evaluate(async (theirs) => {
        const { violations } = await globalThis.axe.run({ elementRef: true });
        const isOurs = (id, element) => !theirs.some(([rule, where]) => rule === id && element.matches(where));
        return violations.flatMap(({ id, nodes }) => nodes.filter(({ element }) => isOurs(id, element)).map(({ html }) => `${id} ${html.slice(0, 200)}`));
      }, THEIRS);
      for (const violation of found) violations.add(`${name}: ${violation}`);
    },
  };
}

const seen = {};
const { page, show, run, tab, holds, text, look, editor } = await visitor("/graphql", "light");

// A query, with the keyboard; the examples of the project are the tabs.
seen.tabs = await text(".graphiql-tab > [id]");
await page.click(".graphiql-query-editor .view-lines");
await page.keyboard.press("Control+Enter");
await holds("Beacon");
await look("query");
seen.timing = /^\d+ ms, [\d.]+ ms of them in the server · [\d.]+ kB$/.test((await text(".clew-summary"))[0]);

// The documentation, and a look back.
await show("Documentation Explorer");
await holds("Root Types", ".graphiql-plugin");
await look("docs");
await page.click("a.graphiql-doc-explorer-type-name");
await page.fill(".graphiql-doc-explorer-search input", "agents");
await page.waitForSelector('.graphiql-doc-explorer-search [role="option"]');
await look("search");
await page.keyboard.press("Escape");
await show("History");
await holds("LiveAgents", ".graphiql-history");
await look("history");

// What the editor proposes, and its commands.
await page.click(".graphiql-query-editor .view-lines");
await page.keyboard.press("Control+End");
await page.keyboard.press("Control+Space");
await page.waitForSelector(".suggest-widget .monaco-list-row");
await look("complete");
await page.keyboard.press("Escape");
await page.keyboard.press("F1");
await page.waitForSelector(".quick-input-list .monaco-list-row");
await look("commands");
await page.keyboard.press("Escape");

// The plan, with what Postgres says.
await show("Plan and SQL");
await page.check("text=Ask Postgres too");
await run();
await holds("Execution Time", ".clew-panel");
seen.sections = await text(".clew-panel summary");
seen.sql = (await text('[aria-label="SQL 1"]'))[0].startsWith("SELECT ");
await look("plan");

// The panel has room, and takes more by the keyboard. Nothing scrolls the page away.
const widthOf = (selector) => page.locator(selector).evaluate((element) => element.offsetWidth);
const width = await widthOf(".graphiql-plugin");
await page.focus('[aria-label="Width of the panel"]');
await page.keyboard.press("ArrowRight");
const before = await widthOf(".graphiql-editors");
seen.room = [width, (await widthOf(".graphiql-plugin")) - width];
await page.focus('[aria-label="Width of the editor"]');
await page.keyboard.press("ArrowLeft");
seen.room.push((await widthOf(".graphiql-editors")) - before);
seen.percent = await page.getAttribute('[aria-label="Width of the panel"]', "aria-valuenow");
seen.scrolled = await page.locator('[aria-label="Plan"]').evaluate((plan) => {
  plan.scrollIntoView();
  return document.querySelector(".graphiql-container").scrollTop;
});
await page.click("text=Whole window");
seen.covered = await page.locator(".graphiql-sessions").evaluate(({ inert }) => inert);
await look("plan-whole");
await page.keyboard.press("Escape");

// Another's eyes: the schema is introspected anew.
await show("View as");
await page.fill('[name="roles"]', "user");
await page.fill('[name="claims"]', "no JSON");
await page.click("text=Apply");
seen.fault = (await text('.clew-panel [role="alert"]'))[0];
await page.fill('[name="claims"]', JSON.stringify({ sub: person, name: "Żółć" }));
const introspected = page.waitForRequest((request) => (request.postData() ?? "").includes("query IntrospectionQuery"));
await page.click("text=Apply");
seen.role = (await introspected).headers()["x-clew-role"];
await holds(`user ${person}`, ".clew-badge");
await look("view-as");

// A live query: what comes is shown, and the sizes of the differences.
await tab("MyThreads");
await show("Plan and SQL");
await run();
await holds('"pinned"');
const first = (response) => JSON.parse(response).data.threads[0].id;
const thread = first(await editor("response.json"));
const change = (id, title) =>
  page.request.post(`${address}/graphql`, {
    data: { query: "mutation ($id: ID!, $title: String!) { updateThread(id: $id, set: {title: $title}) { id } }", variables: { id, title } },
  });
await change(thread, "Changed once");
await holds("Changed once");
await change(thread, "Changed twice");
await holds("Changed twice");
seen.live = (await text(".clew-summary"))[0].replace(/[\d.]+ k?B/g, "N");
seen.deltas = (await text(".clew-panel tbody tr td:nth-child(3)")).map((cell) => cell.replace(/[\d.]+ k?B/, "N"));
seen.depends = (await text(".clew-panel")).some((panel) => panel.includes("owner_id = $auth.sub"));
seen.rules = (await text(".clew-panel li")).some((rule) => rule.startsWith("Thread applies"));
await look("live");
seen.noCsv = await page.locator('[aria-label^="No CSV"]').getAttribute("aria-label");
await run();

// Change events: what is judged, and how.
await tab("MessageEvents");
await run();
await holds("WebSocket · 0 results", ".clew-summary");
await holds("Change events", ".clew-panel");
seen.events = await text(".clew-panel summary");
seen.judged = (await text(".clew-panel")).some((panel) => panel.includes("Message any row tableRows of Thread, User are read as they are then."));
await run();

// A job, whose output streams.
await tab("Ask");
await editor("variables.json", JSON.stringify({ thread }));
await run();
await holds('"QUEUED"');
await holds("Without a plan", ".clew-panel");
seen.own = (await text(".clew-panel li")).find((line) => line.startsWith("Mutation.reply it"));
await show("Job output");
await page.click("text=Follow");
await page.waitForFunction(() => (document.querySelector(".clew-output")?.textContent.length ?? 0) > 40);
await look("job");
await page.waitForFunction(() => document.querySelector(".clew-panel [role=status]")?.textContent === "SUCCEEDED");
seen.output = (await text(".clew-output"))[0].includes("✨");

// The model, and who may read what.
await show("Model");
await page.waitForSelector(".clew-box");
seen.types = (await text(".clew-box")).filter((box) => /^(Agent|Message) /.test(box)).map((box) => /(team|thread)(Team|Thread)!?/.exec(box)?.[0]);
await page.selectOption(".clew-panel select", "anon");
seen.hidden = (await page.getByRole("button", { name: "User hidden" }).count()) === 1;
await page.click("text=Whole window");
await page.getByRole("button", { name: "Agent some rows" }).focus();
await page.keyboard.press("Enter");
await holds("Who may read it", ".clew-model");
await look("model");
await page.keyboard.press("Escape");

// A file of the rows, for whom it is allowed.
await show("View as");
await page.click("text=Be myself");
await holds("admin", ".clew-badge");
await tab("Usage");
const [download] = await Promise.all([page.waitForEvent("download"), page.click('[aria-label="Download as CSV"]')]);
seen.file = download.suggestedFilename();
seen.lines = (await readFile(await download.path(), "utf8")).split("\n", 1)[0];

// Meanwhile: a proxy that lets WebSockets open, and nothing through, and a browser that has none.
async function subscriber(prepare) {
  const found = await visitor("/graphql", "light", prepare);
  await found.tab("MyThreads");
  await found.run();
  await found.holds('"pinned"');
  const [said] = await found.text(".clew-summary");
  return [found, said.split(" · ")[0]];
}

async function mute() {
  const [found, said] = await subscriber((context) => context.routeWebSocket(/.*/, () => {}));
  await found.page.close();
  return said;
}

async function socketless() {
  const [found, said] = await subscriber((context) => context.addInitScript(() => delete globalThis.WebSocket));
  await found.run();
  // Where no event stream begins either, the result says so.
  const isStream = (request) => request.headers().accept === "text/event-stream";
  await found.page.route("**/graphql", (route) => (isStream(route.request()) ? route.abort() : route.fallback()));
  await found.run();
  await found.holds("Neither a WebSocket nor an event stream");
  await found.page.close();
  return said;
}

const without = Promise.all([mute(), socketless()]);

// The same in dark, where the app is mounted, and where no WebSocket goes through.
const other = await visitor("/api/graphql", "dark");
await other.run();
await other.holds("Beacon");
await other.show("Model");
await other.page.waitForSelector(".clew-box");
await other.page.click('[aria-label="Hide Model"]');
await other.tab("MyThreads");
await other.run();
await other.holds('"pinned"');
await change(first(await other.editor("response.json")), "Changed thrice");
await other.holds("Changed thrice");
seen.fallback = (await other.text(".clew-summary"))[0].replace(/[\d.]+ k?B/g, "N");
await other.show("Plan and SQL");
await other.look("dark");
await other.show("Documentation Explorer");
await other.holds("Root Types", ".graphiql-plugin");
await other.look("dark-docs");

seen.without = await without;

seen.violations = [...violations];
// The browser tells that one WebSocket was refused, and one event stream broken off.
const OF_BROWSER = ["WebSocket connection to", "net::ERR_FAILED"];
seen.told = OF_BROWSER.map((text) => faults.filter((fault) => fault.includes(text)).length);
seen.faults = faults.filter((fault) => !OF_BROWSER.some((text) => fault.includes(text)));
seen.foreign = foreign;
console.log(JSON.stringify(seen));
await browser.close();
