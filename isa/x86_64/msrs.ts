// Model-specific registers by name and number, those that boot code, emulated machines and their tests read and write. The guest's
// register library and failure texts read it; an instruction has the number in ecx, so the assembler knows none.
// Source: Intel SDM volume 4, table 2-2 (architectural MSRs, with the names used here); volume 3, table 10-6 (x2APIC range). The last
// block is AMD's (APM volume 2, appendix A). Left out: performance monitoring beyond its controls, VMX, SGX and per-model MSRs.

const family = <Name extends string>(name: Name, count: number, first: number, step = 1): readonly (readonly [`${Name}${number}`, number])[] =>
  Array.from({ length: count }, (_, index) => [`${name}${index}`, first + step * index] as const);

const NAMED_MSRS = [
  ["IA32_TSC", 0x10],
  ["IA32_PLATFORM_ID", 0x17],
  ["IA32_APIC_BASE", 0x1b],
  ["IA32_FEATURE_CONTROL", 0x3a],
  ["IA32_TSC_ADJUST", 0x3b],
  ["IA32_SPEC_CTRL", 0x48],
  ["IA32_PRED_CMD", 0x49],
  ["IA32_BIOS_UPDT_TRIG", 0x79],
  ["IA32_BIOS_SIGN_ID", 0x8b],
  ["IA32_MPERF", 0xe7],
  ["IA32_APERF", 0xe8],
  ["IA32_MTRRCAP", 0xfe],
  ["IA32_ARCH_CAPABILITIES", 0x10a],
  ["IA32_FLUSH_CMD", 0x10b],
  ["IA32_TSX_CTRL", 0x122],
  ["IA32_SYSENTER_CS", 0x174],
  ["IA32_SYSENTER_ESP", 0x175],
  ["IA32_SYSENTER_EIP", 0x176],
  ["IA32_MCG_CAP", 0x179],
  ["IA32_MCG_STATUS", 0x17a],
  ["IA32_MCG_CTL", 0x17b],
  ["IA32_PERF_STATUS", 0x198],
  ["IA32_PERF_CTL", 0x199],
  ["IA32_CLOCK_MODULATION", 0x19a],
  ["IA32_THERM_INTERRUPT", 0x19b],
  ["IA32_THERM_STATUS", 0x19c],
  ["IA32_MISC_ENABLE", 0x1a0],
  ["IA32_ENERGY_PERF_BIAS", 0x1b0],
  ["IA32_DEBUGCTL", 0x1d9],
  ["IA32_SMRR_PHYSBASE", 0x1f2],
  ["IA32_SMRR_PHYSMASK", 0x1f3],
  ["IA32_MTRR_FIX64K_00000", 0x250],
  ["IA32_MTRR_FIX16K_80000", 0x258],
  ["IA32_MTRR_FIX16K_A0000", 0x259],
  ["IA32_MTRR_FIX4K_C0000", 0x268],
  ["IA32_MTRR_FIX4K_C8000", 0x269],
  ["IA32_MTRR_FIX4K_D0000", 0x26a],
  ["IA32_MTRR_FIX4K_D8000", 0x26b],
  ["IA32_MTRR_FIX4K_E0000", 0x26c],
  ["IA32_MTRR_FIX4K_E8000", 0x26d],
  ["IA32_MTRR_FIX4K_F0000", 0x26e],
  ["IA32_MTRR_FIX4K_F8000", 0x26f],
  ["IA32_PAT", 0x277],
  ["IA32_MTRR_DEF_TYPE", 0x2ff],
  ["IA32_PERF_CAPABILITIES", 0x345],
  ["IA32_FIXED_CTR_CTRL", 0x38d],
  ["IA32_PERF_GLOBAL_STATUS", 0x38e],
  ["IA32_PERF_GLOBAL_CTRL", 0x38f],
  ["IA32_PERF_GLOBAL_OVF_CTRL", 0x390],
  ["IA32_DS_AREA", 0x600],
  ["IA32_TSC_DEADLINE", 0x6e0],
  ["IA32_XSS", 0xda0],
  ["IA32_EFER", 0xc000_0080],
  ["IA32_STAR", 0xc000_0081],
  ["IA32_LSTAR", 0xc000_0082],
  ["IA32_CSTAR", 0xc000_0083],
  ["IA32_FMASK", 0xc000_0084],
  ["IA32_FS_BASE", 0xc000_0100],
  ["IA32_GS_BASE", 0xc000_0101],
  ["IA32_KERNEL_GS_BASE", 0xc000_0102],
  ["IA32_TSC_AUX", 0xc000_0103],

  // x2APIC: MSR 800H plus the offset in the register page, divided by 16; ICR is one register of 64 bits here.
  ["IA32_X2APIC_APICID", 0x802],
  ["IA32_X2APIC_VERSION", 0x803],
  ["IA32_X2APIC_TPR", 0x808],
  ["IA32_X2APIC_PPR", 0x80a],
  ["IA32_X2APIC_EOI", 0x80b],
  ["IA32_X2APIC_LDR", 0x80d],
  ["IA32_X2APIC_SIVR", 0x80f],
  ["IA32_X2APIC_ESR", 0x828],
  ["IA32_X2APIC_LVT_CMCI", 0x82f],
  ["IA32_X2APIC_ICR", 0x830],
  ["IA32_X2APIC_LVT_TIMER", 0x832],
  ["IA32_X2APIC_LVT_THERMAL", 0x833],
  ["IA32_X2APIC_LVT_PMI", 0x834],
  ["IA32_X2APIC_LVT_LINT0", 0x835],
  ["IA32_X2APIC_LVT_LINT1", 0x836],
  ["IA32_X2APIC_LVT_ERROR", 0x837],
  ["IA32_X2APIC_INIT_COUNT", 0x838],
  ["IA32_X2APIC_CUR_COUNT", 0x839],
  ["IA32_X2APIC_DIV_CONF", 0x83e],
  ["IA32_X2APIC_SELF_IPI", 0x83f],

  ["SYSCFG", 0xc001_0010],
  ["HWCR", 0xc001_0015],
  ["VM_CR", 0xc001_0114],
  ["VM_HSAVE_PA", 0xc001_0117],
] as const;

const MSR_FAMILIES = [
  ...family("IA32_PMC", 8, 0xc1),
  ...family("IA32_PERFEVTSEL", 8, 0x186),
  ...family("IA32_FIXED_CTR", 3, 0x309),
  ...family("IA32_MTRR_PHYSBASE", 10, 0x200, 2),
  ...family("IA32_MTRR_PHYSMASK", 10, 0x201, 2),
  ...family("IA32_X2APIC_ISR", 8, 0x810),
  ...family("IA32_X2APIC_TMR", 8, 0x818),
  ...family("IA32_X2APIC_IRR", 8, 0x820),
];

export type MsrName = (typeof NAMED_MSRS)[number][0] | (typeof MSR_FAMILIES)[number][0];

export interface Msr {
  readonly name: MsrName;
  readonly number: number;
}

export const MSRS: readonly Msr[] = [...NAMED_MSRS, ...MSR_FAMILIES].map(([name, number]) => ({ name, number })).toSorted((a, b) => a.number - b.number);

const numbers = new Map<string, number>(MSRS.map(({ name, number }) => [name, number]));
const names = new Map<number, MsrName>(MSRS.map(({ name, number }) => [number, name]));

export function findMsr(name: string): number | undefined {
  return numbers.get(name);
}

export function msrNameOf(number: number): MsrName | undefined {
  return names.get(number);
}
