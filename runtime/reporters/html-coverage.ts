// The coverage section of the HTML report: what of the sources was executed, and what of the devices' registers was touched. Plain HTML,
// for there is nothing to search in it that the browser does not find; sources are folded.
import type { CoveredFile, CoveredRegisters, CoverageMeasured } from "../events.ts";
import { coverageTotals, percentOf, type Share } from "./coverage-totals.ts";
import { escapeHtml } from "./escape-html.ts";
import { countNoun, groupDigits } from "./quantities.ts";

/** A part of a whole in words and as a bar; nothing of nothing is no part. */
function formatShare(share: Share): string {
  if (share.of === 0) return '<td class="number">-</td><td></td>';
  const percent = percentOf(share);
  const bar = `<span class="share" aria-hidden="true"><span style="width:${percent}%"></span></span>`;
  return `<td class="number">${groupDigits(share.reached)} of ${groupDigits(share.of)}</td><td>${bar} ${percent}%</td>`;
}

/** Of all files, or of one. */
function formatShares(files: readonly CoveredFile[]): string {
  const { lines, branches } = coverageTotals({ type: "coverage-measured", test: null, files, registers: [] });
  return formatShare(lines) + formatShare(branches);
}

function formatSource({ source, lines, branches }: CoveredFile): string {
  const hitsOf = new Map(lines.map(({ line, hits }) => [line, hits]));
  const missed = Map.groupBy(
    branches.filter(({ hits }) => hits === 0),
    ({ line }) => line,
  );
  const width = Math.max(1, ...lines.map(({ hits }) => groupDigits(hits).length));
  const rows = (source ?? []).map((text, index) => {
    const hits = hitsOf.get(index + 1);
    const gaps = missed.get(index + 1) ?? [];
    const kind = hits === undefined ? "" : hits > 0 && gaps.length === 0 ? ` class="hit"` : ` class="miss"`;
    const count = `${String(index + 1).padStart(5)} ${(hits === undefined ? "" : groupDigits(hits)).padStart(width)} `;
    const note =
      hits === undefined || hits === 0 || gaps.length === 0 ? "" : `<span class="count">  never: ${escapeHtml(gaps.map(({ way }) => way).join(", "))}</span>`;
    return `<span${kind}><span class="count">${count}</span>${escapeHtml(text)}${note}</span>`;
  });
  return `<pre class="source" tabindex="0">${rows.join("")}</pre>`;
}

function formatFile(file: CoveredFile): string {
  const text =
    file.source === null ? "" : `<tr><td colspan="5"><details><summary>${escapeHtml(file.path)}, its lines</summary>${formatSource(file)}</details></td></tr>`;
  return `<tr><th scope="row">${escapeHtml(file.path)}</th>${formatShares([file])}</tr>${text}`;
}

interface Touched {
  readonly name: string;
  readonly reads: number;
  readonly writes: number;
}

function formatTouched({ name, reads, writes }: Touched): string {
  const kind = reads + writes === 0 ? ` class="red"` : "";
  return `<tr><th scope="row"${kind}>${escapeHtml(name)}</th><td class="number">${groupDigits(reads)}</td><td class="number">${groupDigits(writes)}</td><td>${reads + writes === 0 ? "never touched" : ""}</td></tr>`;
}

function formatRegisters({ name, file, line, registers }: CoveredRegisters): string {
  const all: readonly Touched[] = registers.flatMap((register) => [
    register,
    ...register.fields.map((field) => ({ ...field, name: `${register.name}.${field.name}` })),
  ]);
  const touched = all.filter(({ reads, writes }) => reads + writes > 0).length;
  return `<details><summary>${escapeHtml(name)}: ${groupDigits(touched)} of ${countNoun(all.length, "register and field", "registers and fields")} touched <span class="faint">${escapeHtml(file)}:${line}</span></summary>
<div class="scroll"><table><thead><tr><th scope="col">register</th><th scope="col" class="number">reads</th><th scope="col" class="number">writes</th><th></th></tr></thead>
<tbody>${all.map(formatTouched).join("\n")}</tbody></table></div></details>
`;
}

export function formatCoverage({ files, registers }: CoverageMeasured): string {
  const head = `<thead><tr><th scope="col">source</th><th scope="col" class="number">lines</th><th></th><th scope="col" class="number">branches</th><th></th></tr></thead>`;
  const sum = `<tr><th scope="row">all</th>${formatShares(files)}</tr>`;
  const sources = `<div class="scroll"><table>${head}\n<tbody>${[sum, ...files.map(formatFile)].join("\n")}</tbody></table></div>\n`;
  return `<section id="coverage" aria-label="Coverage">\n<h2>Coverage</h2>\n${files.length === 0 ? "" : sources}${registers.map(formatRegisters).join("")}</section>\n`;
}
