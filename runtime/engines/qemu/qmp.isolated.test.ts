// QEMU's own protocol against a peer that behaves as QEMU does, up to the way it dies.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connectQmp } from "./qmp.ts";

/** A peer that greets, and answers each line with the next of these; after the last one it leaves lines unread. */
async function startPeer(context: TestContext, answers: readonly object[]): Promise<{ readonly path: string; readonly kill: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), "guestspec-qmp-"));
  const path = join(folder, "socket");
  const script = `
    const answers = ${JSON.stringify(answers.map((answer) => JSON.stringify(answer)))};
    require("node:net").createServer((peer) => {
      peer.write('{"QMP": {}}\\n');
      peer.on("data", () => { peer.write(answers.shift() + "\\n"); if (answers.length === 0) peer.pause(); });
    }).listen(${JSON.stringify(path)}, () => console.log("ready"));`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  context.after(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  await once(child.stdout, "data");
  return { path, kill: () => void child.kill("SIGKILL") };
}

test("nobody listens", async () => {
  assert.equal(await connectQmp(join(tmpdir(), "guestspec-no-such-socket")), null);
});

test("events between answers, registers of each target, and a peer that dies with a question unread", async (context) => {
  const registers = [
    "\r\nCPU#0\r\n pc       00000000800025a8\r\n mhartid  0\r\nCPU#1\r\n pc       0000000080000010\r\n mhartid  1",
    "\r\nCPU#0\r\nRIP=000000000010002a RFL=00000002",
    "\r\nCPU#0\r\n PC=0000000040080124 X00=0",
  ];
  const { path, kill } = await startPeer(context, [
    { return: {} },
    ...registers.map((text) => ({ return: text })),
    { event: "SHUTDOWN", data: { guest: true, reason: "guest-reset" } },
  ]);
  const qmp = await connectQmp(path);
  assert.ok(qmp !== null);
  assert.equal(qmp.shutdownReason, null);
  for (const pcs of [[0x8000_25a8n, 0x8000_0010n], [0x10_002an], [0x4008_0124n]]) assert.deepEqual(await qmp.programCounters(), pcs);
  const unanswered = qmp.programCounters();
  while (qmp.shutdownReason === null) await new Promise((resolve) => setTimeout(resolve, 10));
  const unread = qmp.programCounters();
  await new Promise((resolve) => setTimeout(resolve, 100));
  kill();
  await qmp.ended;
  assert.deepEqual([await unanswered, await unread, qmp.shutdownReason], [[], [], "guest-reset"]);
});
