// The list of the HTML report: reads the records that stand in the page, filters, opens, moves by keyboard. What is not looked at is not
// built: a suite's tests when it is opened, a test's story when that is, so that ten thousand results are there at once. Plain
// JavaScript, checked by the tsconfig.json beside it, because the page carries it as it is.

/**
 * @import { PageData, PageRecord, RunRecord, EndRecord, SuiteRecord, TestRecord } from "./records.ts"
 * @import { Verdict } from "../../events.ts"
 */

/** @typedef {TestRecord & { readonly id: string, readonly text: string, readonly place: number }} Test */
/** @typedef {{ readonly record: SuiteRecord, readonly tests: Test[], readonly element: HTMLDetailsElement, shown: readonly Test[], limit: number }} Suite */

/** From worst to best, with the colour and the words of the counts. @type {readonly (readonly [Verdict, string, string])[]} */
const VERDICTS = [
  ["error", "magenta", "in error"],
  ["nondeterministic", "magenta", "not deterministic"],
  ["crash", "red", "crashed"],
  ["hung", "magenta", "hung"],
  ["timeout", "red", "timed out"],
  ["fail", "red", "failed"],
  ["xpass", "red", "passed unexpectedly"],
  ["flaky", "yellow", "flaky"],
  ["pass", "green", "passed"],
  ["xfail", "yellow", "expected failures"],
  ["skip", "grey", "skipped"],
];
const GOOD = new Set(["flaky", "pass", "xfail", "skip"]);
/** Colours of text; grey is that of what stands back. */
const TEXT_CLASS = new Map(VERDICTS.map(([verdict, colour]) => [verdict, colour === "grey" ? "dim" : colour]));
/** Tests of a suite that are built at once. */
const PAGE = 500;
/** So many failures are told without being asked. */
const TOLD = 10;
/** ECMA-48, 8.3.117, as far as reports use it. @type {Readonly<Record<string, string>>} */
const SGR_STYLES = { 1: "bold", 2: "dim", 31: "red", 32: "green", 33: "yellow", 35: "magenta", 36: "cyan" };

const SGR_CODE = new RegExp(`${String.fromCharCode(27)}\\[(\\d+)m`);

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} className
 * @param {...(Node | string)} children
 */
function make(name, className, ...children) {
  const element = document.createElement(name);
  if (className !== "") element.className = className;
  element.append(...children);
  return element;
}

/** @template {HTMLElement} Type @param {string} id @param {new () => Type} type */
function find(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${id}`);
  return element;
}

/** @param {number} value */
function groupDigits(value) {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** @param {number} count @param {string} noun */
function countNoun(count, noun) {
  return `${groupDigits(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** @param {number} ns */
function formatTime(ns) {
  const [size, unit] = ns < 1e3 ? [1, "ns"] : ns < 1e6 ? [1e3, "us"] : ns < 1e9 ? [1e6, "ms"] : [1e9, "s"];
  const value = ns / size;
  return `${value < 100 && unit !== "ns" ? value.toPrecision(3) : groupDigits(value)} ${unit}`;
}

/** @param {Verdict} verdict */
function verdictWord(verdict) {
  return make("span", `verdict ${TEXT_CLASS.get(verdict)}`, verdict);
}

// --- The data

/** A line that was being written when the runner was killed is not complete. @returns {readonly PageRecord[]} */
function readRecords() {
  const lines = (document.getElementById("records")?.textContent ?? "").split("\n").filter((line) => line !== "");
  return lines.flatMap((line, index) => {
    try {
      return [/** @type {PageRecord} */ (JSON.parse(line))];
    } catch (error) {
      if (index === lines.length - 1) return [];
      throw error;
    }
  });
}

/** @type {RunRecord | null} */
let run = null;
/** @type {EndRecord | null} */
let end = null;
/** @type {Suite[]} */
let suites = [];
/** @type {Test[]} */
let tests = [];

/** @param {Pick<Test, "test" | "row">} test */
function nameOf({ test, row }) {
  return row === null ? test : `${test}[${row}]`;
}

for (const record of readRecords()) {
  switch (record.type) {
    case "run":
      [run, end, suites, tests] = [record, null, [], []];
      break;
    case "suite":
      suites.push({ record, tests: [], element: make("details", "suite"), shown: [], limit: PAGE });
      break;
    case "test": {
      const suite = suites[record.suite];
      if (suite === undefined) throw new Error("a result without its suite");
      const { file, name, target, engine } = suite.record;
      const id = record.id ?? `${file}::${name}::${nameOf(record)}@${target}/${engine}`;
      const text = [id, record.summary ?? "", ...(record.tags ?? []).map((tag) => `#${tag}`)].join("\n").toLowerCase();
      const test = { ...record, id, text, place: tests.length };
      suite.tests.push(test);
      tests.push(test);
      break;
    }
    case "end":
      end = record;
      break;
  }
}

const counts = new Map(VERDICTS.map(([verdict]) => [verdict, 0]));
for (const { verdict } of tests) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
const failed = tests.filter(({ verdict }) => !GOOD.has(verdict));
const byId = new Map(tests.map((test) => [test.id, test]));

// --- What stands above the list

function writeHead() {
  const notRun = end === null ? Math.max(0, (run?.tests ?? 0) - tests.length) : end.notRun;
  const isRed = failed.length > 0 || end === null || end.exitCode !== 0;
  const headline = find("headline", HTMLHeadingElement);
  headline.className = isRed ? "red" : "green";
  if (tests.length === 0) headline.textContent = "No test has run";
  else if (failed.length > 0) headline.textContent = `${groupDigits(failed.length)} of ${countNoun(tests.length, "test")} failed`;
  else headline.textContent = `${countNoun(tests.length, "test")}, none failed`;
  document.title = `${headline.textContent} - guestspec`;

  const facts = [
    countNoun(suites.length, "suite"),
    ...(end === null ? [] : [formatTime(end.wallMs * 1e6)]),
    ...(run === null ? [] : [`seed ${run.seed}`, run.targets.join(", "), run.tool, run.startedAt.replace("T", " ").replace(/\.\d+Z$/, " UTC")]),
    ...(run === null || run.deselected === 0 ? [] : [`${groupDigits(run.deselected)} deselected`]),
  ];
  find("facts", HTMLParagraphElement).textContent = facts.filter((fact) => fact !== "").join(" \u00b7 ");

  const promised = tests.filter((test) => test.promised).length;
  const notices = [
    ...(end === null ? [`The run broke off: ${countNoun(notRun, "test")} not run.`] : []),
    ...(end?.interrupted ? [`Interrupted: ${countNoun(notRun, "test")} not run.`] : []),
    ...(end !== null && !end.interrupted && notRun > 0 ? [`Stopped early: ${countNoun(notRun, "test")} not run.`] : []),
    ...(promised > 0 ? [`${countNoun(promised, "test")} skipped that had to run.`] : []),
  ];
  const notice = find("notice", HTMLParagraphElement);
  notice.textContent = notices.join(" ");
  notice.hidden = notices.length === 0;

  for (const [verdict, colour] of VERDICTS) {
    const count = counts.get(verdict) ?? 0;
    if (count === 0) continue;
    const part = make("span", `fill-${colour}`);
    part.style.flexGrow = String(count);
    find("bar", HTMLDivElement).append(part);
  }
}

// --- Filters

/** A list that is to be made when nobody types any more. */
let waiting = 0;
const search = find("search", HTMLInputElement);
const targetChoice = find("target", HTMLSelectElement);
const tagChoice = find("tag", HTMLSelectElement);
const order = find("order", HTMLSelectElement);
const onlyFailures = find("failures", HTMLButtonElement);
/** @type {Map<Verdict, HTMLInputElement>} */
const chips = new Map();

/** @param {HTMLSelectElement} select @param {Iterable<string>} values */
function offer(select, values) {
  const sorted = [...new Set(values)].sort();
  for (const value of sorted) select.append(new Option(value, value));
  select.hidden = sorted.length < (select === tagChoice ? 1 : 2);
}

function makeFilters() {
  for (const [verdict, , words] of VERDICTS) {
    const count = counts.get(verdict) ?? 0;
    if (count === 0) continue;
    const box = make("input", "");
    box.type = "checkbox";
    // What a reset goes back to.
    box.defaultChecked = true;
    box.value = verdict;
    chips.set(verdict, box);
    find("verdicts", HTMLFieldSetElement).append(make("label", "chip", box, make("span", TEXT_CLASS.get(verdict) ?? "", `${groupDigits(count)} ${words}`)));
  }
  onlyFailures.hidden = failed.length === 0 || failed.length === tests.length;
  offer(
    targetChoice,
    suites.map(({ record }) => `${record.target}/${record.engine}`),
  );
  offer(
    tagChoice,
    tests.flatMap(({ tags }) => tags ?? []),
  );
}

/** Words in any order, each somewhere in the id, the message or the tags. @returns {(test: Test, suite: Suite) => boolean} */
function currentFilter() {
  const words = search.value
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const shown = new Set([...chips].flatMap(([verdict, box]) => (box.checked ? [verdict] : [])));
  const target = targetChoice.value;
  const tag = tagChoice.value;
  return (test, { record }) =>
    shown.has(test.verdict) &&
    (target === "" || target === `${record.target}/${record.engine}`) &&
    (tag === "" || (test.tags ?? []).includes(tag)) &&
    words.every((word) => test.text.includes(word));
}

// --- The list

/** @param {string} line */
function paint(line) {
  const parts = line.split(SGR_CODE);
  const result = document.createDocumentFragment();
  let classes = /** @type {readonly string[]} */ ([]);
  parts.forEach((part, index) => {
    // Each second part is a code; those that end a colour end the last one.
    if (index % 2 === 1) classes = part in SGR_STYLES ? [...classes, SGR_STYLES[part] ?? ""] : classes.slice(0, -1);
    else if (part !== "") result.append(classes.length === 0 ? part : make("span", classes.join(" "), part));
  });
  return result;
}

/** @param {Test} test @param {Suite} suite */
function makeBody(test, { record }) {
  const body = make("div", "body");
  if (test.story !== undefined) {
    const story = make("pre", "story");
    story.tabIndex = 0;
    test.story.forEach((line, index) => story.append(...(index === 0 ? [] : ["\n"]), paint(line)));
    body.append(story);
  }
  const link = make("a", "mono", test.id);
  link.href = `#${encodeURIComponent(test.id)}`;
  const attempts = test.attempts?.map(
    ({ verdict, times, message }) => `${times === 1 ? "" : `${times} x `}${verdict}${message === null ? "" : ` (${message})`}`,
  );
  /** @type {readonly (readonly [string, string | Node | undefined])[]} */
  const facts = [
    ["id", link],
    ["where", `${record.file}:${test.line}`],
    ["tags", test.tags?.join(", ")],
    ["checks", groupDigits(test.checks)],
    ["guest", `${formatTime(test.guestNs)}${test.instructions === 0 ? "" : `, ${groupDigits(test.instructions)} instructions`}`],
    ["host", `${formatTime(test.wallMs * 1e6)}, from ${formatTime(test.startMs * 1e6)} on, ${record.engine} worker ${test.worker}`],
    ["attempts", attempts?.join(", then ")],
    ["cached", test.cached ? "the result of an earlier run" : undefined],
  ];
  const list = make("dl", "");
  for (const [name, value] of facts) if (value !== undefined && value !== "") list.append(make("dt", "", name), make("dd", "", value));
  body.append(list);
  return body;
}

/** @type {WeakMap<Element, Test>} */
const testOf = new WeakMap();

/** @param {Test} test @param {Suite} suite */
function makeTest(test, suite) {
  const name = make("span", "name", test.shown ?? nameOf(test));
  if (test.summary !== undefined) name.append(make("span", "why", test.summary));
  const element = make("details", "test", make("summary", "", verdictWord(test.verdict), name, make("span", "number faint", formatTime(test.wallMs * 1e6))));
  testOf.set(element, test);
  element.addEventListener("toggle", () => {
    if (element.open && element.children.length === 1) element.append(makeBody(test, suite));
  });
  element.open = failed.length <= TOLD && !GOOD.has(test.verdict);
  return element;
}

/** @param {Suite} suite */
function fill(suite) {
  const { element, shown, limit } = suite;
  const built = shown.slice(0, limit).map((test) => makeTest(test, suite));
  const rest = shown.length - built.length;
  const more = make("button", "more", `Show ${groupDigits(Math.min(rest, PAGE))} more of ${groupDigits(rest)}`);
  more.type = "button";
  more.addEventListener("click", () => {
    suite.limit += PAGE;
    fill(suite);
    const next = element.children[limit + 1]?.firstElementChild;
    if (next instanceof HTMLElement) next.focus();
  });
  element.replaceChildren(...[...element.children].slice(0, 1), ...built, ...(rest > 0 ? [more] : []));
}

/** @param {Suite} suite */
function writeSummary(suite) {
  const { record, shown } = suite;
  const worst = VERDICTS.find(([verdict]) => shown.some((test) => test.verdict === verdict))?.[0] ?? "skip";
  const told = VERDICTS.map(([verdict, , words]) => [shown.filter((test) => test.verdict === verdict).length, words]);
  const wallMs = shown.reduce((sum, test) => sum + test.wallMs, 0);
  const name = make("span", "name", record.name, " ", make("span", "faint", `${record.file} @${record.target}/${record.engine}`));
  const count = told.flatMap(([number, words]) => (number === 0 ? [] : [`${groupDigits(Number(number))} ${words}`])).join(", ");
  return make("summary", "", verdictWord(worst), name, make("span", "faint", count), make("span", "number faint", formatTime(wallMs * 1e6)));
}

/** @param {Suite} suite @param {boolean} isOpen */
function setOpen(suite, isOpen) {
  suite.element.open = isOpen;
  if (isOpen && suite.element.children.length === 1) fill(suite);
}

function applyFilters() {
  clearTimeout(waiting);
  const isShown = currentFilter();
  const isNarrow = search.value.trim() !== "" || [...chips.values()].some((box) => !box.checked) || targetChoice.value !== "" || tagChoice.value !== "";
  const slowest = order.value === "slow";
  const wallOf = new Map(suites.map((suite) => [suite, suite.tests.reduce((sum, test) => sum + test.wallMs, 0)]));
  let number = 0;
  for (const suite of suites) {
    const shown = suite.tests.filter((test) => isShown(test, suite));
    suite.shown = slowest ? shown.sort((left, right) => right.wallMs - left.wallMs) : shown;
    suite.limit = PAGE;
    number += shown.length;
    suite.element.hidden = shown.length === 0;
    suite.element.replaceChildren(writeSummary(suite));
    // What is looked for is seen without another step, unless it is everything.
    setOpen(suite, isNarrow ? shown.length > 0 && (number <= PAGE || suite.element.open) : shown.some(({ verdict }) => !GOOD.has(verdict)));
  }
  const ordered = slowest ? suites.toSorted((left, right) => (wallOf.get(right) ?? 0) - (wallOf.get(left) ?? 0)) : suites;
  find("results", HTMLElement).replaceChildren(...ordered.map(({ element }) => element));
  onlyFailures.setAttribute("aria-pressed", String([...chips].every(([verdict, box]) => box.checked !== GOOD.has(verdict))));
  find("shown", HTMLSpanElement).textContent = number === tests.length ? "" : `${groupDigits(number)} of ${groupDigits(tests.length)} shown`;
}

/** @param {boolean} isOn */
function showOnlyFailures(isOn) {
  for (const [verdict, box] of chips) box.checked = !isOn || !GOOD.has(verdict);
  applyFilters();
}

/** Opens a test wherever it is, in view and with the focus. @param {Test} test */
function show(test) {
  const suite = suites[test.suite];
  if (suite === undefined) return;
  if (!suite.shown.includes(test)) resetFilters();
  const place = suite.shown.indexOf(test);
  if (place >= suite.limit || suite.element.children.length === 1) {
    suite.limit = Math.max(suite.limit, Math.ceil((place + 1) / PAGE) * PAGE);
    fill(suite);
  }
  suite.element.open = true;
  const element = [...suite.element.children].find((child) => testOf.get(child) === test);
  if (!(element instanceof HTMLDetailsElement)) return;
  element.open = true;
  element.querySelector("summary")?.focus({ preventScroll: true });
  element.scrollIntoView({ block: "center" });
}

function resetFilters() {
  find("filters", HTMLFormElement).reset();
  applyFilters();
}

function showAddressed() {
  const test = byId.get(decodeURIComponent(location.hash.slice(1)));
  if (test !== undefined) show(test);
}

// --- Keys

/** @param {1 | -1} step */
function moveToFailure(step) {
  const current = document.activeElement?.closest(".test") ?? null;
  const here = current === null ? undefined : testOf.get(current);
  // From anywhere else the first one is next, and the last one is before.
  const place = here?.place ?? (step === 1 ? -1 : Infinity);
  const next = step === 1 ? failed.find((test) => test.place > place) : failed.findLast((test) => test.place < place);
  const test = next ?? failed.at(step === 1 ? 0 : -1);
  if (test !== undefined) show(test);
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target instanceof HTMLInputElement && event.target.type === "search";
  if (event.key === "Escape" && isTyping && search.value !== "") {
    search.value = "";
    applyFilters();
  } else if (isTyping || event.target instanceof HTMLSelectElement) return;
  else if (event.key === "/") search.focus();
  else if (event.key === "n") moveToFailure(1);
  else if (event.key === "p") moveToFailure(-1);
  else return;
  event.preventDefault();
}

// --- Together

writeHead();
makeFilters();
for (const [id, words] of [
  ["results", "Results"],
  ["timeline", "Timeline"],
  ["coverage", "Coverage"],
]) {
  if (id === undefined || words === undefined || document.getElementById(id) === null) continue;
  const link = make("a", "", words);
  link.href = `#${id}`;
  find("sections", HTMLElement).append(link);
}
for (const suite of suites)
  suite.element.addEventListener("toggle", () => {
    if (suite.element.open) setOpen(suite, true);
  });
// Like the terminal: what has failed comes first, and in full.
showOnlyFailures(failed.length > 0);
find("filters", HTMLFormElement).addEventListener("input", (event) => {
  clearTimeout(waiting);
  // Typing goes on while a long list is made.
  waiting = window.setTimeout(applyFilters, event.target === search ? 120 : 0);
});
onlyFailures.addEventListener("click", () => showOnlyFailures(onlyFailures.getAttribute("aria-pressed") !== "true"));
find("filters", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", showAddressed);
showAddressed();
/** @type {PageData} */
const data = { run, end, suites: suites.map(({ record }) => record), tests };
document.dispatchEvent(new CustomEvent("results", { detail: data }));
