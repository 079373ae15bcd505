// virtio-rng against QEMU's, over MMIO: what it offers and how it gives buffers back. The bytes themselves are chance on both sides, so
// lengths are compared, and what stands beside the buffers. QEMU serves nothing while its CPUs are stopped, as they are between steps:
// some time passes after a kick. Broken rings are kicked once: QEMU finds them again, and says so, whenever it looks at its rate limit.

import { virtioMmio } from "../../runtime/devices/virtio-mmio.ts";
import { RAM } from "./board.ts";
import { pass, read, readAllWidths, write, type QtestScript, type Step } from "./script.ts";
import { createMmioDriver, type RingDriver } from "./virtio-driver.ts";

const TRANSPORT = 0x1000_8000;
const SOURCE = 8;
/** Longer than the period of 65,536 ms after which QEMU looks at its rate limit again, so that its timer is not left pending. */
const RATE_PERIOD = 66_000_000_000;
const BUFFERS = RAM + 0x9000;

const driver = createMmioDriver(TRANSPORT);

function script(name: string, steps: readonly Step[]): QtestScript {
  return {
    name,
    steps: [write(0xc00_0000 + 4 * SOURCE, 1), write(0xc00_2000, 1 << SOURCE), ...steps],
    watch: "plic",
    qemuArguments: ["-global", "virtio-mmio.force-legacy=false", "-device", "virtio-rng-device"],
    extend(board) {
      board.add({
        create: (env) => virtioMmio.create({ device: "rng" }, env),
        bases: [TRANSPORT],
        irq: (_pin, level) => board.plicInput(SOURCE, level),
      });
    },
  };
}

const observe = ({ used, register }: RingDriver): Step[] => [
  pass(RATE_PERIOD),
  register("isr"),
  register("status"),
  ...Array.from({ length: 9 }, (_, index) => read(used(0) + 8 * index, 8)),
  // Not what the device has filled.
  read(BUFFERS + 0x400, 8),
];

const buffer = { address: BUFFERS, length: 32, flags: 2, next: 0 };

interface Shape {
  readonly name: string;
  readonly steps: readonly Step[];
}

const shapes: readonly Shape[] = [
  { name: "one buffer", steps: [...driver.describe(0, 2, buffer), ...driver.offer(0, 0, 2)] },
  {
    name: "a chain",
    steps: [
      ...driver.describe(0, 0, { ...buffer, flags: 3, next: 5 }),
      ...driver.describe(0, 5, { ...buffer, address: BUFFERS + 64 }),
      ...driver.offer(0, 0, 0),
    ],
  },
  { name: "two buffers", steps: [0, 1].flatMap((n) => [...driver.describe(0, n, buffer), ...driver.offer(0, n, n)]) },
  { name: "no buffer", steps: [] },
];

const mistakes: readonly Shape[] = [{ name: "a head out of range", steps: driver.offer(0, 0, 8) }];

export const scripts: readonly QtestScript[] = [
  script("virtio-rng: registers at power-on, every width", readAllWidths(TRANSPORT, 0x120)),
  ...[...shapes, ...mistakes].flatMap((shape) =>
    [0, 0x2000_0000].map((features) =>
      script(`virtio-rng: ${shape.name}, features 0x${features.toString(16)}`, [
        ...driver.start({ features, queues: [0], size: 8 }),
        ...shape.steps,
        driver.kick(0),
        ...observe(driver),
        ...(mistakes.includes(shape) ? [] : [driver.acknowledge(3), driver.kick(0), ...observe(driver)]),
      ]),
    ),
  ),
  script("virtio-rng: a buffer that waits for DRIVER_OK", [
    ...driver.start({ features: 0, queues: [0], size: 8, status: 0xb }),
    ...driver.describe(0, 0, buffer),
    ...driver.offer(0, 0, 0),
    driver.kick(0),
    ...observe(driver),
    driver.setStatus(0xf),
    ...observe(driver),
  ]),
];
