// The stub over a real connection, without GDB: running, interrupts, breakpoints at any slice's end, memory of a paged guest's neighbours,
// mistakes in packets, and what happens when the debugger goes. tests/exec/gdb.isolated.test.ts has the debugger itself.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { assemble } from "../../isa/riscv64/assemble.ts";
import { riscvVirt } from "../../tests/fixtures/machines.ts";
import { createRiscv64 } from "../cpus/riscv64/processor.ts";
import { hasCsr } from "../cpus/riscv64/csrs.ts";
import { createGuest, type Guest } from "../exec/guest.ts";
import type { ConsoleHost, GuestEnd } from "../exec/run-guest.ts";
import { createPacketReader, writePacket } from "./gdb-packets.ts";
import { debugGuest } from "./gdb-server.ts";
import { riscvArchitecture, riscvFeatures } from "./riscv-registers.ts";

const host: ConsoleHost = {
  now: () => performance.now(),
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  takeInput: () => new Uint8Array(),
  hasInput: () => false,
  isStopped: () => false,
};

interface Session {
  readonly guest: Guest;
  readonly ask: (packet: string) => Promise<string>;
  /** Bytes as they are. */
  readonly send: (bytes: string) => void;
  readonly answer: () => Promise<string>;
  readonly hangUp: () => void;
  readonly end: Promise<GuestEnd>;
}

function startGuest(text: string, cpus: number): Guest {
  const assembly = assemble(text, { origin: riscvVirt.ram.base });
  assert.ok(assembly.ok);
  const created = createGuest({
    description: riscvVirt,
    cpus,
    seed: 0n,
    createProcessor: createRiscv64,
    boot: { image: { name: "program", program: { kind: "raw", bytes: assembly.bytes } }, cpuProperties: {} },
    output: () => undefined,
  });
  return created.ok ? created.guest : assert.fail(created.problem);
}

async function debug(text: string, cpus = 1): Promise<Session> {
  const guest = startGuest(text, cpus);
  const { promise: port, resolve: onListening } = Promise.withResolvers<number>();
  const end = debugGuest(guest, { port: 0, architecture: riscvArchitecture(64), features: riscvFeatures(64, hasCsr), onListening, time: "virtual" }, host);
  const socket: Socket = connect(await port, "127.0.0.1");
  const read = createPacketReader();
  const answers: string[] = [];
  let wake = (): void => undefined;
  socket.on("data", (bytes: Buffer) => {
    for (const input of read(bytes.toString("latin1"))) if (input.kind === "packet") answers.push(input.text);
    wake();
  });
  const answer = async (): Promise<string> => {
    for (;;) {
      const text = answers.shift();
      if (text !== undefined) return text;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  const send = (bytes: string): void => void socket.write(Buffer.from(bytes, "latin1"));
  return {
    guest,
    answer,
    send,
    ask(packet) {
      send(writePacket(packet));
      return answer();
    },
    hangUp: () => socket.destroy(),
    end,
  };
}

const POWER_OFF = "li t0, 0x100000\nli t1, 0x5555\nsw t1, (t0)\nj .";
const COUNT = `li a0, 0\nloop: addi a0, a0, 1\nj loop`;

test("the guest runs until it is interrupted, and again", async () => {
  const session = await debug(COUNT);
  assert.match(await session.ask("qSupported:swbreak+"), /^PacketSize=4000;/);
  assert.equal(await session.ask("?"), "T05thread:1;");
  let before = 0;
  for (let round = 0; round < 2; round++) {
    session.send(writePacket("vCont;c"));
    await host.wait(30);
    session.send("\u0003");
    assert.equal(await session.answer(), "T02thread:1;");
    assert.ok(session.guest.processor.instructions() > before);
    before = session.guest.processor.instructions();
  }
  session.send(writePacket("k"));
  assert.deepEqual(await session.end, { kind: "stopped" });
});

test("registers and memory are read and written", async () => {
  const session = await debug(COUNT);
  assert.equal((await session.ask("g")).length, 33 * 16);
  assert.equal(await session.ask("p20"), "0000008000000000", "pc");
  assert.equal(await session.ask("Pa=0100000000000000"), "OK");
  assert.equal(session.guest.processor.readRegister(0, "a0"), 1n);
  assert.equal(await session.ask("M80001000,4:01020304"), "OK");
  assert.equal(await session.ask(`X80001004,2:}\u0003\u007f`), "OK");
  assert.equal(await session.ask("m80000fff,8"), "0001020304237f00");
  assert.equal(await session.ask("m1000,4"), "E0e");
  assert.equal(await session.ask("m83fffffe,8"), "0000", "as far as there is RAM");
  assert.equal(await session.ask("M80001000,4:0102"), "E16");
  assert.equal(await session.ask("p9999"), "E16");
  assert.equal(await session.ask("vMustReplyEmpty"), "");
  assert.match(await session.ask("qXfer:features:read:target.xml:0,2000"), /^m<\?xml.*<reg name="zero" bitsize="64" type="int" regnum="0"\/>/);
  session.send(writePacket("k"));
  await session.end;
});

test("breakpoints are met however the run is cut, one CPU steps alone", async () => {
  const session = await debug(`bnez a0, other\n${COUNT}\nother: addi a1, a1, 1\nj other`, 2);
  const { processor } = session.guest;
  assert.equal(await session.ask("Z0,80000008,4"), "OK");
  for (let round = 0; round < 3; round++) {
    assert.equal(await session.ask("vCont;c"), "T05thread:1;");
    assert.equal(processor.readRegister(0, "pc"), 0x8000_0008n);
    assert.equal(processor.readRegister(0, "a0"), BigInt(round));
  }
  const [first, second] = [processor.instructions(0), processor.instructions(1)];
  assert.equal(await session.ask("vCont;s:1"), "T05thread:1;");
  assert.deepEqual([processor.instructions(0), processor.instructions(1)], [first + 1, second]);
  assert.equal(await session.ask("Hg2"), "OK");
  assert.equal(await session.ask("qC"), "QC2");
  assert.equal(await session.ask("Hg3"), "E16");
  assert.equal(await session.ask("z0,80000008,4"), "OK");
  session.send(writePacket("k"));
  await session.end;
});

test("a breakpoint that a slice ends in front of is told, and told once", () => {
  const guest = startGuest(COUNT, 1);
  guest.setBreakpoints([0x8000_0008n]);
  const hit = { kind: "breakpoint", cpu: 0, pc: 0x8000_0008n };
  const run = (instructions: number): unknown => guest.run({ instructions, until: Infinity });
  assert.deepEqual([run(2), run(1), run(1), run(1), run(5)], [hit, { kind: "limit" }, hit, { kind: "limit" }, hit]);
});

test("when the debugger goes, the guest goes on; its end is told to one that stays", async () => {
  const gone = await debug(POWER_OFF);
  await gone.ask("?");
  gone.hangUp();
  assert.deepEqual(await gone.end, { kind: "poweroff", code: 0 });
  const stays = await debug(POWER_OFF);
  assert.equal(await stays.ask("c"), "W00");
  assert.deepEqual(await stays.end, { kind: "poweroff", code: 0 });
});
