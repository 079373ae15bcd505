// The timeline of the HTML report: a row for each worker with what it ran when, on the clock of the host. It gets the data from the list's
// script and tells it of a test by the page's address, as a link does. The numbers beside a track say what the track shows.

/**
 * @import { PageData } from "./records.ts"
 * @import { Boot, Verdict } from "../../events.ts"
 */

/** @typedef {PageData["tests"][number]} Test */
/** @typedef {{ readonly name: string, readonly tests: Test[], readonly boots: Boot[], readonly canvas: HTMLCanvasElement }} Lane */

/** What is drawn later is not hidden by what is drawn earlier. @type {readonly (readonly [readonly Verdict[], string])[]} */
const LAYERS = [
  [["skip"], "--grey-fill"],
  [["pass"], "--green-fill"],
  [["xfail", "flaky"], "--yellow-fill"],
  [["timeout", "fail", "xpass", "crash"], "--red-fill"],
  [["error", "hung", "nondeterministic"], "--magenta-fill"],
];
const HEIGHT = 26;
const BOOT_HEIGHT = 6;
/** How far from a slice the pointer may be. */
const NEAR_PIXELS = 3;

/** @param {number} ms */
function formatMs(ms) {
  if (ms >= 60_000) return `${(ms / 60_000).toFixed(1)} min`;
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toPrecision(3)} ms`;
}

/** @param {PageData} data @returns {readonly Lane[]} */
function lanesOf({ suites, tests, end }) {
  /** @type {Map<string, Lane>} */
  const lanes = new Map();
  /** @param {string} engine @param {number} worker */
  const laneOf = (engine, worker) => {
    const key = `${engine} ${worker}`;
    const known = lanes.get(key);
    if (known !== undefined) return known;
    const made = { name: `${engine}, ${worker === 0 ? "in the runner" : `worker ${worker}`}`, tests: [], boots: [], canvas: document.createElement("canvas") };
    lanes.set(key, made);
    return made;
  };
  for (const test of tests) laneOf(suites[test.suite]?.engine ?? "?", test.worker).tests.push(test);
  for (const boot of end?.boots ?? []) laneOf(boot.engine, boot.worker).boots.push(boot);
  return [...lanes.values()].toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

/** Time that a lane is at work; what overlaps counts once. @param {Lane} lane */
function busyMs({ tests, boots }) {
  const spans = [
    ...tests.map(({ startMs, wallMs }) => /** @type {const} */ ([startMs, startMs + wallMs])),
    ...boots.map(({ startMs, durationMs }) => /** @type {const} */ ([startMs, startMs + durationMs])),
  ].sort(([left], [right]) => left - right);
  let sum = 0;
  let until = 0;
  for (const [from, to] of spans) {
    sum += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return sum;
}

/** @param {Lane} lane @param {number} totalMs */
function draw({ canvas, tests, boots }, totalMs) {
  const width = canvas.clientWidth;
  const scale = window.devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(HEIGHT * scale);
  const context = canvas.getContext("2d");
  if (context === null || width === 0) return;
  const style = getComputedStyle(document.documentElement);
  context.scale(scale, scale);
  context.fillStyle = style.getPropertyValue("--raised");
  context.fillRect(0, 0, width, HEIGHT);
  /** @param {number} startMs @param {number} ms @param {number} top @param {number} height */
  const slice = (startMs, ms, top, height) => context.fillRect((startMs / totalMs) * width, top, Math.max(1, (ms / totalMs) * width - 0.25), height);
  for (const [verdicts, colour] of LAYERS) {
    context.fillStyle = style.getPropertyValue(colour);
    for (const { verdict, startMs, wallMs } of tests) if (verdicts.includes(verdict)) slice(startMs, wallMs, 0, HEIGHT);
  }
  context.fillStyle = style.getPropertyValue("--boot-fill");
  for (const { startMs, durationMs } of boots) slice(startMs, durationMs, HEIGHT - BOOT_HEIGHT, BOOT_HEIGHT);
}

/** The test under the pointer; the shortest one if several are. @param {Lane} lane @param {MouseEvent} event @param {number} totalMs */
function testAt({ canvas, tests }, event, totalMs) {
  const at = (event.offsetX / canvas.clientWidth) * totalMs;
  const near = (NEAR_PIXELS / canvas.clientWidth) * totalMs;
  return tests.filter(({ startMs, wallMs }) => startMs - near <= at && at <= startMs + wallMs + near).toSorted((left, right) => left.wallMs - right.wallMs)[0];
}

/** @param {PageData} data */
function showTimeline(data) {
  const lanes = lanesOf(data);
  const section = document.getElementById("timeline");
  if (section === null || lanes.length === 0) return;
  const last = Math.max(...lanes.flatMap(({ tests }) => tests.map(({ startMs, wallMs }) => startMs + wallMs)), 0.001);
  const totalMs = Math.max(data.end?.wallMs ?? 0, last);
  const title = document.createElement("h2");
  title.textContent = `Timeline of ${formatMs(totalMs)}`;
  const table = document.createElement("table");
  table.className = "workers";
  table.createTHead().innerHTML =
    '<tr><th scope="col">worker</th><th scope="col" class="number">tests</th><th scope="col" class="number">boots</th><th scope="col" class="number">busy</th><th scope="col">slices of wall time; boots in blue</th></tr>';
  const body = table.createTBody();
  for (const lane of lanes) {
    const row = body.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = lane.name;
    row.append(head);
    for (const text of [String(lane.tests.length), String(lane.boots.length), `${Math.round((busyMs(lane) / totalMs) * 100)}%`]) {
      const cell = row.insertCell();
      cell.className = "number";
      cell.textContent = text;
    }
    const track = row.insertCell();
    track.className = "track";
    const { canvas } = lane;
    canvas.className = "timeline";
    canvas.setAttribute("aria-hidden", "true");
    canvas.addEventListener("mousemove", (event) => {
      const test = testAt(lane, event, totalMs);
      canvas.title = test === undefined ? "" : `${test.verdict} ${test.id}\n${formatMs(test.wallMs)}, from ${formatMs(test.startMs)} on`;
    });
    canvas.addEventListener("click", (event) => {
      const test = testAt(lane, event, totalMs);
      if (test !== undefined) location.hash = encodeURIComponent(test.id);
    });
    track.append(canvas);
  }
  section.append(title, table);
  section.hidden = false;
  const redraw = () => lanes.forEach((lane) => draw(lane, totalMs));
  new ResizeObserver(redraw).observe(table);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  redraw();
}

document.addEventListener("results", (event) => {
  if (event instanceof CustomEvent) showTimeline(/** @type {PageData} */ (event.detail));
});
