// Goes through the demo's page in Chromium, and prints what it saw as one line of JSON.
// Arguments: the address, and a folder for pictures.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [address, pictures] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
// Nothing comes from elsewhere.
const foreign = [];
await context.route("**/*", (route) => {
  if (route.request().url().startsWith(address)) return route.continue();
  foreign.push(route.request().url());
  return route.abort();
});
const page = await context.newPage();
const faults = [];
page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
page.on("pageerror", (error) => faults.push(String(error)));
page.setDefaultTimeout(60_000);

const seen = {};
const picture = (name) => page.screenshot({ path: `${pictures}/${name}.png` });
const answer = () => page.locator("#answer").textContent();
const ask = async (prompt) => {
  await page.fill("#prompt", prompt);
  await page.press("#prompt", "Enter");
};
const longer = (length) =>
  page.waitForFunction((least) => (document.querySelector("#answer")?.textContent.length ?? 0) > least, length);

await page.goto(address);
await page.waitForSelector("nav button[aria-current=true]");
await page.waitForSelector(".message");
seen.threads = await page.locator("nav button").count();
await picture("before");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
await page.evaluate(axe);
seen.violations = (await page.evaluate(() => globalThis.axe.run())).violations.map(({ id }) => id);

await ask("What do you do all day?");
await page.waitForSelector("#answer");
await longer(40);
await picture("during");
const before = await answer();
await page.reload();
await longer(before.length);
const after = await answer();
seen.goesOn = after.startsWith(before);
await picture("after-reload");
await page.waitForSelector("#answer", { state: "detached" });
await page.waitForFunction((start) => {
  const found = [...document.querySelectorAll(".message.ASSISTANT")].at(-1);
  return found?.textContent.startsWith(start);
}, after);
seen.question = (await page.locator(".message.USER").last().textContent()) === "What do you do all day?";
seen.written = (await page.locator(".message.ASSISTANT").last().textContent()).endsWith("✨");
await picture("written");

await ask("Stop this one.");
await longer(20);
await page.click("#stop");
await page.waitForFunction(() => document.querySelector("#answer")?.textContent.endsWith("[stopped]"));
seen.stopped = true;

const [download] = await Promise.all([page.waitForEvent("download"), page.click("#report")]);
seen.report = download.suggestedFilename();
seen.lines = (await readFile(await download.path(), "utf8")).split("\n", 1)[0];

seen.faults = faults;
seen.foreign = foreign;
console.log(JSON.stringify(seen));
await browser.close();
