// The HTML report in Chromium: what it shows, how it is searched and filtered, by keyboard, in both colour schemes, on a narrow screen,
// with ten thousand results, and when its runner was killed.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import type { RunEvent } from "../../runtime/events.ts";
import { createCounts } from "../../runtime/reporters/tally.ts";
import { chromium, startBrowser, type Browser, type Page } from "../fixtures/browser.ts";
import { finished } from "../fixtures/events.ts";
import { report } from "../fixtures/memory-sink.ts";
import { recordedRun } from "../fixtures/recorded-run.ts";

const inBrowser = { timeout: 120_000, skip: chromium === null ? "chromium is not installed" : false };

let browser: Browser | null = null;
before(() => void (browser = chromium === null ? null : startBrowser(chromium)));
after(() => browser?.close());

async function open(context: TestContext, html: string, hash = ""): Promise<Page> {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-page-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "report.html");
  writeFileSync(path, html);
  if (browser === null) throw new Error("there is no browser");
  return browser.open(`${pathToFileURL(path).href}${hash}`);
}

const TITLES = `[...document.querySelectorAll(".suite:not([hidden]) .test > summary .name")].map((name) => name.firstChild.textContent)`;
const FOCUSED = `document.activeElement.closest(".test")?.querySelector(".name").firstChild.textContent`;

function search(page: Page, words: string): Promise<unknown> {
  return page.evaluate(
    `(() => { const box = document.getElementById("search"); box.value = ${JSON.stringify(words)}; box.dispatchEvent(new Event("input", { bubbles: true })); })()`,
  );
}

test("the page tells the run: numbers, failures in full, the timeline, coverage; it asks for nothing and trusts no name", inBrowser, async (context) => {
  const page = await open(context, await report("html", recordedRun));
  assert.equal(await page.evaluate("document.querySelector('h1').textContent"), "14 of 30 tests failed");
  assert.equal(await page.evaluate("document.getElementById('notice').textContent"), "1 test skipped that had to run.");
  const shown = await page.evaluate<string[]>(TITLES);
  assert.equal(shown.length, 14);
  assert.ok(shown.includes("a | table ` <b>cell</b>[]]> \\x1b[31mred\\x1b[0m \\u202edeb\\u202c]"));
  assert.equal(await page.evaluate("document.querySelectorAll('b').length"), 0);
  await page.evaluate("document.querySelectorAll('.test')[0].open = true");
  await page.until("the story is there", "document.querySelector('.story') !== null");
  const story = await page.evaluate<string>("document.querySelector('.story').textContent");
  assert.match(story, /^x expected sub\.u64\(a, b\) == diff, got 0x0000_0000_ffff_ffff\n[^]*\^\^\^ this was[^]*xor = [^]*rerun {4}guestspec run/);
  assert.equal(await page.evaluate("document.querySelector('.story .red').textContent"), "x");
  assert.equal(await page.evaluate("document.querySelectorAll('.workers canvas').length"), 4);
  const coverage = await page.evaluate<string>("document.getElementById('coverage').innerText");
  assert.match(coverage, /specs\/alu\.gspec\t2 of 3\s+66\.6%\t1 of 2\s+50%/);
  assert.match(coverage, /Edu: 3 of 4 registers and fields touched/);
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(
    page.requests.filter((url) => !url.endsWith("/report.html")),
    [],
  );
});

test("search and filters", inBrowser, async (context) => {
  const page = await open(context, await report("html", recordedRun));
  assert.equal(await page.evaluate("document.getElementById('failures').getAttribute('aria-pressed')"), "true");
  await page.evaluate("document.getElementById('failures').click()");
  assert.equal(await page.evaluate("document.getElementById('shown').textContent"), "");
  await search(page, "BORROW small");
  await page.until("two are found", "document.getElementById('shown').textContent === '2 of 30 shown'");
  assert.deepEqual(await page.evaluate(TITLES), ["sub and borrow[small]", "sub and borrow[small]"]);
  await search(page, "#dma");
  await page.until("a tag is found", "document.getElementById('shown').textContent === '1 of 30 shown'");
  await search(page, "");
  await page.until("all are shown", "document.getElementById('shown').textContent === ''");
  await page.evaluate(
    `(() => { const box = document.getElementById("target"); box.value = "virt/qemu"; box.dispatchEvent(new Event("input", { bubbles: true })); })()`,
  );
  await page.until("those of a target are shown", "document.getElementById('shown').textContent === '3 of 30 shown'");
  assert.deepEqual(await page.evaluate(TITLES), ["second try", "not twice the same", "unchanged"]);
  await page.evaluate("document.querySelector('#verdicts input[value=flaky]').click()");
  await page.until("and of other verdicts", "document.getElementById('shown').textContent === '2 of 30 shown'");
});

test("all of it by keyboard", inBrowser, async (context) => {
  const page = await open(context, await report("html", recordedRun));
  await page.press("/");
  assert.equal(await page.evaluate("document.activeElement.id"), "search");
  for (const key of "fact") await page.press(key);
  await page.until("typing filters", "document.getElementById('shown').textContent === '1 of 30 shown'");
  await page.press("Escape");
  await page.until("escape clears", "document.getElementById('search').value === ''");
  // Letters are text there, and not orders.
  await page.press("n");
  assert.equal(await page.evaluate("document.getElementById('search').value"), "n");
  await page.press("Escape");
  await page.evaluate("document.activeElement.blur()");
  await page.press("n");
  assert.equal(await page.evaluate(FOCUSED), "sub and borrow[wraps below zero]");
  assert.equal(await page.evaluate("document.activeElement.parentElement.open"), true);
  await page.press("n");
  assert.equal(await page.evaluate(FOCUSED), "dma reads back");
  await page.press("p");
  await page.press("p");
  assert.equal(await page.evaluate(FOCUSED), "not twice the same");
  await page.press("n");
  assert.equal(await page.evaluate(FOCUSED), "sub and borrow[wraps below zero]");
  // Everything that a mouse can use can have the focus, and has a name.
  const nameless = `[...document.querySelectorAll("button, input, select, summary, a")].filter((element) => element.tabIndex < 0 || (element.textContent + (element.ariaLabel ?? "") + (element.labels?.[0]?.textContent ?? "")).trim() === "").length`;
  assert.equal(await page.evaluate(nameless), 0);
});

test("a test has an address, and the timeline leads to it", inBrowser, async (context) => {
  const id = "specs/alu.gspec::alu::div@virt/interp";
  const page = await open(context, await report("html", recordedRun), `#${encodeURIComponent(id)}`);
  assert.equal(await page.evaluate(FOCUSED), "div");
  assert.match(await page.evaluate<string>("document.activeElement.closest('.test').innerText"), /quotient rounds towards zero[^]*virt\/interp/);
  // The longest test fills its worker's track.
  const rect = await page.evaluate<{ x: number; y: number }>(
    `(() => { const canvas = [...document.querySelectorAll(".workers tr")].find((row) => row.innerText.startsWith("wasm, in the runner")).querySelector("canvas"); canvas.scrollIntoView({ block: 'center' }); const { left, top, width, height } = canvas.getBoundingClientRect(); return { x: left + width / 2, y: top + height / 2 }; })()`,
  );
  for (const type of ["mousePressed", "mouseReleased"]) await page.send("Input.dispatchMouseEvent", { type, ...rect, button: "left", clickCount: 1 });
  await page.until("the test is shown", `${FOCUSED} === "holds the host"`);
});

/** WCAG 2, relative luminance. */
const CONTRAST = `(() => {
  const rgb = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const luminance = (colour) => rgb(colour).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => { for (let at = element; at !== null; at = at.parentElement) { const { backgroundColor } = getComputedStyle(at); if (backgroundColor !== "rgba(0, 0, 0, 0)") return backgroundColor; } return "rgb(255, 255, 255)"; };
  const texts = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "") && !element.matches("script, style, noscript, noscript *, option"));
  const ratio = (element) => { const [low, high] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => a - b); return (high + 0.05) / (low + 0.05); };
  return { count: texts.length, least: Math.min(...texts.map(ratio)), ground: getComputedStyle(document.body).backgroundColor };
})()`;

test("light and dark, wide and narrow", inBrowser, async (context) => {
  const page = await open(context, await report("html", recordedRun));
  await page.evaluate("document.getElementById('failures').click()");
  await page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))");
  await page.until("all is open", "document.querySelectorAll('.story').length > 10");
  await page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))");
  const grounds = new Set<string>();
  for (const scheme of ["light", "dark"]) {
    await page.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    const { count, least, ground } = await page.evaluate<{ count: number; least: number; ground: string }>(CONTRAST);
    grounds.add(ground);
    assert.ok(count > 200, `${count} texts`);
    assert.ok(least >= 4.5, `${scheme}: contrast ${least.toFixed(2)}`);
  }
  assert.equal(grounds.size, 2);
  for (const width of [320, 700, 1600]) {
    await page.send("Emulation.setDeviceMetricsOverride", { width, height: 800, deviceScaleFactor: 1, mobile: false });
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), `nothing sticks out at ${width}`);
    assert.ok(
      await page.evaluate("[...document.querySelectorAll('.workers canvas')].every((canvas) => canvas.clientWidth > 200)"),
      `tracks are there at ${width}`,
    );
  }
});

function tenThousand(): readonly RunEvent[] {
  const suite = { suite: "many", file: "many.gspec", target: "bytecode", engine: "embedded" };
  const results = Array.from({ length: 10_000 }, (_, index) =>
    finished({
      ...suite,
      test: "row",
      row: String(index),
      id: `many.gspec::many::row[${index}]@bytecode/embedded`,
      verdict: index === 7777 ? "fail" : "pass",
      wallStartMs: index,
    }),
  );
  return [
    {
      type: "run-started",
      version: 1,
      tool: "guestspec 0.1.0",
      seed: "0",
      targets: ["bytecode"],
      suites: [{ name: "many", file: "many.gspec", target: "bytecode", engine: "embedded", tests: 10_000 }],
      tests: 10_000,
      deselected: 0,
      startedAt: "2026-01-01T00:00:00Z",
    },
    { type: "suite-started", ...suite, tests: 10_000, plan: [{ test: "row", rows: 10_000 }] },
    ...results,
    { type: "suite-finished", ...suite, verdict: "fail", wallMs: 10_000 },
    {
      type: "run-finished",
      counts: { ...createCounts(), pass: 9999, fail: 1 },
      notRun: 0,
      interrupted: false,
      exitCode: 1,
      wallMs: 10_000,
      wallBoots: [],
      finishedAt: "2026-01-01T00:00:10Z",
    },
  ];
}

test("ten thousand results: a small page, few elements, all to be found", inBrowser, async (context) => {
  const html = await report("html", tenThousand());
  assert.ok(html.length < 2.5e6, `${html.length} characters`);
  const page = await open(context, html);
  assert.deepEqual(await page.evaluate(TITLES), ["row[7777]"]);
  await page.evaluate("document.getElementById('failures').click()");
  assert.equal(await page.evaluate(`${TITLES}.length`), 500);
  assert.ok((await page.evaluate<number>("document.querySelectorAll('*').length")) < 5000);
  await page.evaluate("document.querySelector('.more').click()");
  assert.equal(await page.evaluate(`${TITLES}.length`), 1000);
  assert.equal(await page.evaluate(FOCUSED), "row[500]");
  await page.press("n");
  assert.equal(await page.evaluate(FOCUSED), "row[7777]");
  const before = await page.threadSeconds();
  await search(page, "row[1234]");
  await page.until("one is found", "document.getElementById('shown').textContent === '1 of 10,000 shown'");
  const seconds = (await page.threadSeconds()) - before;
  assert.ok(seconds > 0 && seconds < 5, `${seconds} s`);
});

test("a page whose runner was killed shows what it got, and that it broke off", inBrowser, async (context) => {
  const whole = await report("html", recordedRun);
  // In the middle of a record, with nothing behind.
  const page = await open(context, whole.slice(0, whole.indexOf('"traps in its handler"')));
  assert.equal(await page.evaluate("document.querySelector('h1').textContent"), "5 of 14 tests failed");
  assert.match(await page.evaluate<string>("document.getElementById('notice').textContent"), /^The run broke off: 16 tests not run\./);
  assert.deepEqual(page.complaints, []);
  const empty = await open(context, await report("html", []));
  assert.equal(await empty.evaluate("document.querySelector('h1').textContent"), "No test has run");
});
