// What an image file holds, for people: its target, where it is loaded and entered, and the tests of each suite. Behind `guestspec show
// image`, for files of which nothing else is known.

import type { ImageFile, ImagePayload } from "./image-file.ts";
import type { ManifestTest } from "./manifest.ts";

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function describeTest({ name, parameterised, cases, needs, tags }: ManifestTest): string {
  const facts = [
    ...(parameterised ? [`${cases.length} ${cases.length === 1 ? "row" : "rows"}`] : []),
    ...needs.map((need) => `needs ${need.name}${need.args.length === 0 ? "" : `(${need.args.join(", ")})`}`),
    ...tags.map((tag) => `#${tag}`),
  ];
  return `    ${name}${facts.length === 0 ? "" : `  (${facts.join(", ")})`}\n`;
}

function describePayload({ manifest, identity }: ImagePayload): string {
  const suites = manifest.suites.map(({ name, file, tests }) => {
    const cases = tests.reduce((sum, test) => sum + test.cases.length, 0);
    return `  ${manifest.files[file] ?? "?"}: ${name}  (${cases} ${cases === 1 ? "case" : "cases"})\n${tests.map(describeTest).join("")}`;
  });
  return `${manifest.machine} ${identity.slice(0, 8)}\n${suites.join("")}`;
}

export function describeImage({ target, entry, pvhEntry, segments, payloads }: ImageFile): string {
  const rows = [
    ["target", target],
    ["entry", `${hex(entry)}${pvhEntry === null ? "" : ", by PVH"}`],
    ...segments.map(({ address, fileSize, memorySize }) => ["loads", `${fileSize} bytes at ${hex(address)}, ${memorySize} in memory`]),
    ...(payloads.length > 1 ? [["pack of", `${payloads.length} images`]] : []),
  ];
  return `${rows.map(([name = "", value]) => `${name.padEnd(8)}${value}\n`).join("")}\n${payloads.map(describePayload).join("\n")}`;
}
