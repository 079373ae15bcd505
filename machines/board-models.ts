// Devices that boards of QEMU have and the embedded machine does not model. A machine file with a `qemu:` section may name them
// beside the models of runtime/devices; `guestspec devices` shows both. A model that is written later leaves this table.
// Manuals are named where the device's own registers are what a guest's driver is written from.

import { OTHER_MODEL } from "./description.ts";

export interface BoardModel {
  readonly name: string;
  readonly summary: string;
  readonly manual: string;
}

/** What a machine file calls a device that is on none of our boards. */
export const OTHER: BoardModel = { name: OTHER_MODEL, summary: "a device that only QEMU and the specs know", manual: "its own" };

export const BOARD_MODELS: readonly BoardModel[] = [
  { name: "acpi-ged", summary: "ACPI generic event device: power-off and reset of reduced-hardware PCs", manual: "ACPI 6.4, 5.6.9 and 4.8.3.7" },
  { name: "acpi-pm", summary: "ACPI power management: fixed event and control blocks, timer of 3.58 MHz", manual: "ACPI 6.4, 4.8.3" },
  { name: "cmos-rtc", summary: "real-time clock with CMOS memory", manual: "Motorola MC146818A" },
  { name: "debug-console", summary: "Bochs debug port: what is written goes to the host", manual: "QEMU hw/char/debugcon.c" },
  { name: "fdc", summary: "floppy controller without drives", manual: "Intel 82078 (290468)" },
  { name: "gicv2", summary: "Arm generic interrupt controller 2", manual: "Arm IHI 0048B" },
  { name: "gicv3", summary: "Arm generic interrupt controller 3: distributor and redistributors", manual: "Arm IHI 0069G" },
  { name: "gicv3-its", summary: "interrupt translation service: messages to LPIs", manual: "Arm IHI 0069G, 5 and 12.18" },
  { name: "hpet", summary: "high precision event timers", manual: "IA-PC HPET 1.0a" },
  { name: "i440fx-pmc", summary: "i440FX host bridge", manual: "Intel 82441FX (290549)" },
  { name: "i8042", summary: "PS/2 keyboard and mouse controller; its pulse of line 0 resets the machine", manual: "Intel 8042; IBM PS/2 Technical Reference" },
  { name: "i8254", summary: "programmable interval timer of 1.193182 MHz", manual: "Intel 8254 (231164)" },
  { name: "i8254-gate", summary: "gate and output of the timer's channel 2, for the speaker", manual: "Intel ICH9 (316972), 13.7.1" },
  { name: "i8257", summary: "ISA DMA controllers", manual: "Intel 8237A (231466)" },
  { name: "i8259", summary: "pair of programmable interrupt controllers", manual: "Intel 8259A (231468)" },
  { name: "ich9-lpc", summary: "ISA bridge with interrupt routing", manual: "Intel ICH9 (316972), 13" },
  { name: "ide", summary: "IDE controller without drives", manual: "Intel PIIX3 (290550), 2.3" },
  { name: "ioapic", summary: "I/O advanced interrupt controller", manual: "Intel 82093AA (290566)" },
  { name: "isa-debug-exit", summary: "ends QEMU: a write of n gives exit status 2n + 1", manual: "QEMU hw/misc/debugexit.c" },
  { name: "lapic", summary: "local APIC of each CPU, with its timer", manual: "Intel SDM 3A, 11" },
  { name: "pc-testdev", summary: "I/O and memory of a device, interrupt lines and page flushes for tests of a PC", manual: "QEMU hw/misc/pc-testdev.c" },
  { name: "piix3-isa", summary: "ISA bridge with interrupt routing", manual: "Intel PIIX3 (290550), 2.2" },
  { name: "piix4-pm", summary: "power management function with SMBus", manual: "Intel PIIX4 (290562), 7" },
  { name: "pl011", summary: "Arm PrimeCell UART", manual: "Arm DDI 0183G" },
  { name: "pl031", summary: "Arm PrimeCell real-time clock", manual: "Arm DDI 0224C" },
  { name: "pl061", summary: "Arm PrimeCell GPIO; line 3 is the power button", manual: "Arm DDI 0190B" },
  { name: "port92", summary: "fast A20 gate and reset", manual: "IBM PS/2 Technical Reference, system control port A" },
  { name: "q35-mch", summary: "Q35 host bridge, configuration space also in memory", manual: "Intel 3 Series Express chipset (316966), 5" },
];
