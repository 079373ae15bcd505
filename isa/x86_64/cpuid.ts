// What CPUID says: feature bits by leaf, subleaf, register and bit, and the leaves that hold other things. Guest code asks for features
// by these names, emulated processors are described by them.
// Sources: Intel SDM volume 2, 3.3 CPUID, tables 3-8 (leaves), 3-10 and 3-11 (leaf 1); AMD APM volume 3, appendix E.4 (leaves 8000_0001H
// and up). Left out: vector extensions beyond AVX-512F, and what only one model has.

export type CpuidRegister = "eax" | "ebx" | "ecx" | "edx";

export interface CpuidFeature {
  readonly name: string;
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: CpuidRegister;
  readonly bit: number;
}

type Group = readonly [leaf: number, subleaf: number, register: CpuidRegister, bits: readonly (readonly [name: string, bit: number])[]];

const GROUPS: readonly Group[] = [
  [
    1,
    0,
    "edx",
    [
      ["fpu", 0],
      ["vme", 1],
      ["de", 2],
      ["pse", 3],
      ["tsc", 4],
      ["msr", 5],
      ["pae", 6],
      ["mce", 7],
      ["cx8", 8],
      ["apic", 9],
      ["sep", 11],
      ["mtrr", 12],
      ["pge", 13],
      ["mca", 14],
      ["cmov", 15],
      ["pat", 16],
      ["pse36", 17],
      ["psn", 18],
      ["clfsh", 19],
      ["ds", 21],
      ["acpi", 22],
      ["mmx", 23],
      ["fxsr", 24],
      ["sse", 25],
      ["sse2", 26],
      ["ss", 27],
      ["htt", 28],
      ["tm", 29],
      ["pbe", 31],
    ],
  ],
  [
    1,
    0,
    "ecx",
    [
      ["sse3", 0],
      ["pclmulqdq", 1],
      ["dtes64", 2],
      ["monitor", 3],
      ["ds_cpl", 4],
      ["vmx", 5],
      ["smx", 6],
      ["eist", 7],
      ["tm2", 8],
      ["ssse3", 9],
      ["fma", 12],
      ["cx16", 13],
      ["pdcm", 15],
      ["pcid", 17],
      ["sse4_1", 19],
      ["sse4_2", 20],
      ["x2apic", 21],
      ["movbe", 22],
      ["popcnt", 23],
      ["tsc_deadline", 24],
      ["aesni", 25],
      ["xsave", 26],
      ["osxsave", 27],
      ["avx", 28],
      ["f16c", 29],
      ["rdrand", 30],
      // Not used by processors, set by hypervisors.
      ["hypervisor", 31],
    ],
  ],
  [
    6,
    0,
    "eax",
    [
      ["dts", 0],
      ["turbo", 1],
      ["arat", 2],
    ],
  ],
  [
    7,
    0,
    "ebx",
    [
      ["fsgsbase", 0],
      ["tsc_adjust", 1],
      ["bmi1", 3],
      ["avx2", 5],
      ["smep", 7],
      ["bmi2", 8],
      ["erms", 9],
      ["invpcid", 10],
      ["avx512f", 16],
      ["rdseed", 18],
      ["adx", 19],
      ["smap", 20],
      ["clflushopt", 23],
      ["clwb", 24],
      ["sha", 29],
    ],
  ],
  [
    7,
    0,
    "ecx",
    [
      ["umip", 2],
      ["pku", 3],
      ["ospke", 4],
      ["waitpkg", 5],
      ["cet_ss", 7],
      ["la57", 16],
      ["rdpid", 22],
      ["movdiri", 27],
      ["movdir64b", 28],
      ["pks", 31],
    ],
  ],
  [
    7,
    0,
    "edx",
    [
      ["fsrm", 4],
      ["uintr", 5],
      ["md_clear", 10],
      ["serialize", 14],
      ["hybrid", 15],
      ["cet_ibt", 20],
      ["ibrs_ibpb", 26],
      ["stibp", 27],
      ["l1d_flush", 28],
      ["arch_capabilities", 29],
      ["ssbd", 31],
    ],
  ],
  [
    0xd,
    1,
    "eax",
    [
      ["xsaveopt", 0],
      ["xsavec", 1],
      ["xgetbv_ecx1", 2],
      ["xsaves", 3],
    ],
  ],
  [
    0x8000_0001,
    0,
    "ecx",
    [
      ["lahf_lm", 0],
      ["svm", 2],
      ["lzcnt", 5],
      ["sse4a", 6],
      ["prefetchw", 8],
      ["topology_extensions", 22],
    ],
  ],
  [
    0x8000_0001,
    0,
    "edx",
    [
      ["syscall", 11],
      ["nx", 20],
      ["pdpe1gb", 26],
      ["rdtscp", 27],
      ["lm", 29],
    ],
  ],
  [0x8000_0007, 0, "edx", [["invariant_tsc", 8]]],
];

export const CPUID_FEATURES: readonly CpuidFeature[] = GROUPS.flatMap(([leaf, subleaf, register, bits]) =>
  bits.map(([name, bit]) => ({ name, leaf, subleaf, register, bit })),
);

const byName: ReadonlyMap<string, CpuidFeature> = new Map(CPUID_FEATURES.map((feature) => [feature.name, feature]));

export function findCpuidFeature(name: string): CpuidFeature | undefined {
  return byName.get(name);
}
