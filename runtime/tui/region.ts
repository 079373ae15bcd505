// The live region as lines of text, out of one snapshot and the size of the terminal: at most three lines and eight running tests, and
// always one row less than the terminal has, because Ink repaints the whole screen for anything taller. On short terminals the hints
// go first, then running tests, then the bar. Plain functions: what is shown can be tested without a terminal.
import type { Paint } from "../reporters/paint.ts";
import { countNoun, formatWallTime, groupDigits } from "../reporters/quantities.ts";
import { failedOf } from "../reporters/tally.ts";
import { displayWidth, printable, truncate } from "../reporters/terminal-text.ts";
import { KEY_BINDINGS } from "./keys.ts";
import type { RunningTest, Snapshot } from "./store.ts";

const RUNNING_LINES = 8;
const SLOW_MS = 2000;
const BAR_CELLS = 30;

export interface RegionSize {
  readonly columns: number;
  readonly rows: number;
}

function formatBar(share: number, cells: number, snapshot: Snapshot, paint: Paint): string {
  const full = Math.min(cells, Math.floor(share * cells));
  const color = failedOf(snapshot.counts) > 0 ? paint.red : paint.green;
  return `[${color("#".repeat(full))}${paint.dim("-".repeat(cells - full))}]`;
}

function formatProgress(snapshot: Snapshot, columns: number, paint: Paint): string {
  const { done, total, perSecond, leftMs, elapsedMs } = snapshot;
  const share = total === 0 ? 0 : Math.min(1, done / total);
  const numbers = `${groupDigits(done)}/${groupDigits(total)}`;
  const rate = perSecond === 0 ? "" : `  ${groupDigits(perSecond)}/s`;
  const times = `  ${formatAge(elapsedMs)}${leftMs === null ? "" : `, ${formatAge(leftMs)} left`}`;
  const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
  const cells = Math.min(BAR_CELLS, columns - displayWidth(`${percent} [] ${numbers}${rate}${times}`));
  const bar = cells < 5 ? "" : `${formatBar(share, cells, snapshot, paint)} `;
  return `${paint.bold(percent)} ${bar}${numbers}${paint.dim(rate)}${paint.dim(times)}`;
}

/** Whole seconds from ten on, so that the line does not flicker. */
function formatAge(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 60_000 ? `${Math.floor(ms / 1000)} s` : formatWallTime(ms);
}

function formatTally(snapshot: Snapshot, columns: number, paint: Paint): string {
  const { counts, deselected } = snapshot;
  const failed = failedOf(counts);
  const parts = [
    paint.green(`${groupDigits(counts.pass)} passed`),
    failed > 0 ? paint.red(paint.bold(`${groupDigits(failed)} failed`)) : "0 failed",
    counts.skip > 0 ? paint.yellow(`${groupDigits(counts.skip)} skipped`) : "",
    counts.flaky > 0 ? paint.yellow(`${groupDigits(counts.flaky)} flaky`) : "",
    counts.xfail > 0 ? paint.yellow(`${groupDigits(counts.xfail)} xfail`) : "",
    deselected > 0 ? paint.dim(`${groupDigits(deselected)} deselected`) : "",
    snapshot.seed === "" ? "" : paint.dim(`seed ${printable(snapshot.seed)}`),
  ].filter((part) => part !== "");
  // Whole parts or none: half a number is a wrong number.
  let line = "     ";
  for (const part of parts) if (displayWidth(line) + 2 + displayWidth(part) <= columns) line += `${line.trim() === "" ? "" : "  "}${part}`;
  return line;
}

function formatPrompt(snapshot: Snapshot, columns: number, paint: Paint): string {
  if (snapshot.mode === "filter") {
    const error = snapshot.notice === null ? paint.dim("  enter: apply, esc: leave") : `  ${paint.red(snapshot.notice)}`;
    // What is being typed stays in view: a long text loses its beginning.
    const text = printable(snapshot.filterText);
    const room = Math.max(4, columns - 12);
    const shown = displayWidth(text) > room ? `~${text.slice(-(room - 1))}` : text;
    return `${paint.bold("filter:")} ${shown}${paint.bold("_")}${error}`;
  }
  if (snapshot.isStopping) return paint.yellow(`stopping: ${countNoun(snapshot.running.length, "test")} still running; q or ^C again stops at once`);
  if (snapshot.notice !== null) return paint.cyan(printable(snapshot.notice));
  return KEY_BINDINGS.map(({ key, hint }) => `${paint.bold(key)} ${paint.dim(hint)}`).join("  ");
}

function formatRunning({ worker, title, ageMs }: RunningTest, paint: Paint): string {
  const isSlow = ageMs >= SLOW_MS;
  const age = formatAge(ageMs).padStart(10);
  return `${paint.dim(`#${worker}`)}${isSlow ? paint.yellow(age) : age}${isSlow ? paint.yellow(" SLOW") : "     "}  ${printable(title)}`;
}

function formatHelp(paint: Paint): string[] {
  return KEY_BINDINGS.map(({ key, help }) => `  ${paint.bold(key)}  ${help}`);
}

function formatBelow(snapshot: Snapshot, room: number, paint: Paint): string[] {
  if (room <= 0) return [];
  if (snapshot.mode === "help") return formatHelp(paint).slice(0, room);
  const { running } = snapshot;
  if (running.length <= room) return running.map((test) => formatRunning(test, paint));
  const shown = running.slice(0, room - 1).map((test) => formatRunning(test, paint));
  return [...shown, paint.dim(`   and ${countNoun(running.length - shown.length, "more running test")}`)];
}

/** Never taller than `rows - 1` or eleven lines, never as wide as the terminal: its last column makes some terminals wrap. */
export function formatRegion(snapshot: Snapshot, { columns, rows }: RegionSize, paint: Paint): string[] {
  if (snapshot.isClosed) return [];
  const width = Math.max(1, columns - 1);
  const height = Math.max(1, Math.min(3 + RUNNING_LINES, rows - 1));
  const prompt = formatPrompt(snapshot, width, paint);
  const progress = formatProgress(snapshot, width, paint);
  const isPromptNeeded = snapshot.mode === "filter" || snapshot.isStopping || snapshot.notice !== null;
  const head =
    height === 1
      ? [isPromptNeeded ? prompt : progress]
      : height === 2
        ? [progress, isPromptNeeded ? prompt : formatTally(snapshot, width, paint)]
        : [progress, formatTally(snapshot, width, paint), prompt];
  const below = formatBelow(snapshot, height - head.length, paint);
  return [...head.slice(0, height), ...below].map((line) => truncate(line, width));
}
