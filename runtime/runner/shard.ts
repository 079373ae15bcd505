// Parts of a selection for several machines. `slice` cuts it into even pieces that follow each other, so that suites mostly stay whole;
// `hash` gives each test its part by its id alone, so that a test stays where it is when others come and go.

import type { PlannedCase } from "./plan.ts";

export interface Shard {
  readonly kind: "slice" | "hash";
  /** From 1. */
  readonly part: number;
  readonly parts: number;
}

/** Null: it is none. */
export function parseShard(text: string): Shard | null {
  const [, kind, part, parts] = /^(slice|hash):(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  const shard = { kind: kind === "hash" ? ("hash" as const) : ("slice" as const), part: Number(part), parts: Number(parts) };
  return kind !== undefined && shard.part >= 1 && shard.part <= shard.parts ? shard : null;
}

export function formatShard({ kind, part, parts }: Shard): string {
  return `${kind}:${part}/${parts}`;
}

/** FNV-1a over UTF-16 units, 32 bits: what it gives must never change, because caches of CI servers depend on it. */
function hashId(id: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x0100_0193) >>> 0;
  return hash;
}

export function takeShard<Case extends Pick<PlannedCase, "id">>(cases: readonly Case[], { kind, part, parts }: Shard): readonly Case[] {
  if (kind === "hash") return cases.filter(({ id }) => hashId(id) % parts === part - 1);
  const start = (at: number): number => Math.floor((cases.length * at) / parts);
  return cases.slice(start(part - 1), start(part));
}
