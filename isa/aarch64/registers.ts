// Registers of A64 by name and number: general-purpose ones in both widths, SIMD and floating-point ones in all of theirs, and the
// system registers. A system register's number holds op0, op1, CRn, CRm and op2 as its instruction does, so it tells which
// exception level it belongs to, and registers without a name here are written s3_0_c1_c0_0.
// Sources: Arm Architecture Reference Manual DDI 0487 (I.a), chapters "Registers in AArch64 Execution state", "The A64
// System Instruction Class" (S<op0>_<op1>_..) and "AArch64 System Register Encoding"; GIC architecture IHI 0069, "AArch64 System
// register descriptions" (icc_*, ich_*); procedure call standard IHI 0055, "General-purpose Registers" (who saves).
// Left out: those of SVE, SME, MTE, trace, statistical profiling, activity monitors, MPAM and RME.

/** 31 is the zero register or the stack pointer, as the instruction's operand says. */
export const REGISTER_31 = 31;
const FRAME_POINTER = 29;
const LINK_REGISTER = 30;

/** How the text writes a register operand; the number of an encoding is the same for all of them. */
export const REGISTER_KINDS = ["w", "x", "wsp", "xsp", "b", "h", "s", "d", "q", "v8b", "v2d"] as const;
export type RegisterKind = (typeof REGISTER_KINDS)[number];

const numbered = (write: (number: number) => string): string[] => Array.from({ length: 32 }, (_, number) => write(number));

const REGISTER_NAMES: Readonly<Record<RegisterKind, readonly string[]>> = {
  w: numbered((number) => (number === 31 ? "wzr" : `w${number}`)),
  x: numbered((number) => (number === 31 ? "xzr" : `x${number}`)),
  wsp: numbered((number) => (number === 31 ? "wsp" : `w${number}`)),
  xsp: numbered((number) => (number === 31 ? "sp" : `x${number}`)),
  b: numbered((number) => `b${number}`),
  h: numbered((number) => `h${number}`),
  s: numbered((number) => `s${number}`),
  d: numbered((number) => `d${number}`),
  q: numbered((number) => `q${number}`),
  v8b: numbered((number) => `v${number}.8b`),
  v2d: numbered((number) => `v${number}.2d`),
};

/** Names by role, which GNU as reads too. */
const ROLE_NAMES: readonly (readonly [string, number])[] = [
  ["fp", FRAME_POINTER],
  ["lr", LINK_REGISTER],
  ["ip0", 16],
  ["ip1", 17],
];

const registerNumbers: Readonly<Record<RegisterKind, ReadonlyMap<string, number>>> = (() => {
  const of = (kind: RegisterKind): Map<string, number> => new Map(REGISTER_NAMES[kind].map((name, number) => [name, number]));
  const withRoles = (kind: "x" | "xsp"): Map<string, number> => new Map([...of(kind), ...ROLE_NAMES]);
  return {
    w: of("w"),
    x: withRoles("x"),
    wsp: of("wsp"),
    xsp: withRoles("xsp"),
    b: of("b"),
    h: of("h"),
    s: of("s"),
    d: of("d"),
    q: of("q"),
    v8b: of("v8b"),
    v2d: of("v2d"),
  };
})();

const allNames = new Set(Object.values(registerNumbers).flatMap((names) => [...names.keys()]));

export function registerName(kind: RegisterKind, number: number): string {
  return REGISTER_NAMES[kind][number] ?? `${kind}${number}`;
}

export function findRegister(kind: RegisterKind, name: string): number | undefined {
  return registerNumbers[kind].get(name.toLowerCase());
}

/** Any register that an operand may name; system registers are names of their own. */
export function isRegister(name: string): boolean {
  return allNames.has(name.toLowerCase());
}

/** x19..x28, the frame pointer and d8..d15 keep their values across a call; x18 is the platform's. */
export const CALLEE_SAVED = { x: [19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29], d: [8, 9, 10, 11, 12, 13, 14, 15] } as const;

/** 16 bits: op0, op1, CRn, CRm, op2, as in bits 20:5 of MRS and MSR. */
export function systemRegisterNumber(op0: number, op1: number, crn: number, crm: number, op2: number): number {
  return (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;
}

type Encoding = readonly [op0: number, op1: number, crn: number, crm: number, op2: number];

const NAMED_SYSTEM_REGISTERS = [
  // Identification.
  ["midr_el1", [3, 0, 0, 0, 0]],
  ["mpidr_el1", [3, 0, 0, 0, 5]],
  ["revidr_el1", [3, 0, 0, 0, 6]],
  ["id_pfr0_el1", [3, 0, 0, 1, 0]],
  ["id_pfr1_el1", [3, 0, 0, 1, 1]],
  ["id_dfr0_el1", [3, 0, 0, 1, 2]],
  ["id_afr0_el1", [3, 0, 0, 1, 3]],
  ["id_mmfr0_el1", [3, 0, 0, 1, 4]],
  ["id_mmfr1_el1", [3, 0, 0, 1, 5]],
  ["id_mmfr2_el1", [3, 0, 0, 1, 6]],
  ["id_mmfr3_el1", [3, 0, 0, 1, 7]],
  ["id_isar0_el1", [3, 0, 0, 2, 0]],
  ["id_isar1_el1", [3, 0, 0, 2, 1]],
  ["id_isar2_el1", [3, 0, 0, 2, 2]],
  ["id_isar3_el1", [3, 0, 0, 2, 3]],
  ["id_isar4_el1", [3, 0, 0, 2, 4]],
  ["id_isar5_el1", [3, 0, 0, 2, 5]],
  ["id_mmfr4_el1", [3, 0, 0, 2, 6]],
  ["id_isar6_el1", [3, 0, 0, 2, 7]],
  ["mvfr0_el1", [3, 0, 0, 3, 0]],
  ["mvfr1_el1", [3, 0, 0, 3, 1]],
  ["mvfr2_el1", [3, 0, 0, 3, 2]],
  ["id_pfr2_el1", [3, 0, 0, 3, 4]],
  ["id_dfr1_el1", [3, 0, 0, 3, 5]],
  ["id_mmfr5_el1", [3, 0, 0, 3, 6]],
  ["id_aa64pfr0_el1", [3, 0, 0, 4, 0]],
  ["id_aa64pfr1_el1", [3, 0, 0, 4, 1]],
  ["id_aa64zfr0_el1", [3, 0, 0, 4, 4]],
  ["id_aa64smfr0_el1", [3, 0, 0, 4, 5]],
  ["id_aa64dfr0_el1", [3, 0, 0, 5, 0]],
  ["id_aa64dfr1_el1", [3, 0, 0, 5, 1]],
  ["id_aa64afr0_el1", [3, 0, 0, 5, 4]],
  ["id_aa64afr1_el1", [3, 0, 0, 5, 5]],
  ["id_aa64isar0_el1", [3, 0, 0, 6, 0]],
  ["id_aa64isar1_el1", [3, 0, 0, 6, 1]],
  ["id_aa64isar2_el1", [3, 0, 0, 6, 2]],
  ["id_aa64mmfr0_el1", [3, 0, 0, 7, 0]],
  ["id_aa64mmfr1_el1", [3, 0, 0, 7, 1]],
  ["id_aa64mmfr2_el1", [3, 0, 0, 7, 2]],
  ["ccsidr_el1", [3, 1, 0, 0, 0]],
  ["clidr_el1", [3, 1, 0, 0, 1]],
  ["ccsidr2_el1", [3, 1, 0, 0, 2]],
  ["aidr_el1", [3, 1, 0, 0, 7]],
  ["csselr_el1", [3, 2, 0, 0, 0]],
  ["ctr_el0", [3, 3, 0, 0, 1]],
  ["dczid_el0", [3, 3, 0, 0, 7]],

  // Control and translation at EL1.
  ["sctlr_el1", [3, 0, 1, 0, 0]],
  ["actlr_el1", [3, 0, 1, 0, 1]],
  ["cpacr_el1", [3, 0, 1, 0, 2]],
  ["ttbr0_el1", [3, 0, 2, 0, 0]],
  ["ttbr1_el1", [3, 0, 2, 0, 1]],
  ["tcr_el1", [3, 0, 2, 0, 2]],
  ["apiakeylo_el1", [3, 0, 2, 1, 0]],
  ["apiakeyhi_el1", [3, 0, 2, 1, 1]],
  ["apibkeylo_el1", [3, 0, 2, 1, 2]],
  ["apibkeyhi_el1", [3, 0, 2, 1, 3]],
  ["apdakeylo_el1", [3, 0, 2, 2, 0]],
  ["apdakeyhi_el1", [3, 0, 2, 2, 1]],
  ["apdbkeylo_el1", [3, 0, 2, 2, 2]],
  ["apdbkeyhi_el1", [3, 0, 2, 2, 3]],
  ["apgakeylo_el1", [3, 0, 2, 3, 0]],
  ["apgakeyhi_el1", [3, 0, 2, 3, 1]],
  ["mair_el1", [3, 0, 10, 2, 0]],
  ["amair_el1", [3, 0, 10, 3, 0]],
  ["par_el1", [3, 0, 7, 4, 0]],
  ["contextidr_el1", [3, 0, 13, 0, 1]],

  // Exceptions and processor state.
  ["spsr_el1", [3, 0, 4, 0, 0]],
  ["elr_el1", [3, 0, 4, 0, 1]],
  ["sp_el0", [3, 0, 4, 1, 0]],
  ["spsel", [3, 0, 4, 2, 0]],
  ["currentel", [3, 0, 4, 2, 2]],
  ["pan", [3, 0, 4, 2, 3]],
  ["uao", [3, 0, 4, 2, 4]],
  ["afsr0_el1", [3, 0, 5, 1, 0]],
  ["afsr1_el1", [3, 0, 5, 1, 1]],
  ["esr_el1", [3, 0, 5, 2, 0]],
  ["far_el1", [3, 0, 6, 0, 0]],
  ["vbar_el1", [3, 0, 12, 0, 0]],
  ["rvbar_el1", [3, 0, 12, 0, 1]],
  ["rmr_el1", [3, 0, 12, 0, 2]],
  ["isr_el1", [3, 0, 12, 1, 0]],
  ["disr_el1", [3, 0, 12, 1, 1]],
  ["erridr_el1", [3, 0, 5, 3, 0]],
  ["errselr_el1", [3, 0, 5, 3, 1]],
  ["erxfr_el1", [3, 0, 5, 4, 0]],
  ["erxctlr_el1", [3, 0, 5, 4, 1]],
  ["erxstatus_el1", [3, 0, 5, 4, 2]],
  ["erxaddr_el1", [3, 0, 5, 4, 3]],
  ["erxmisc0_el1", [3, 0, 5, 5, 0]],
  ["erxmisc1_el1", [3, 0, 5, 5, 1]],
  ["nzcv", [3, 3, 4, 2, 0]],
  ["daif", [3, 3, 4, 2, 1]],
  ["dit", [3, 3, 4, 2, 5]],
  ["ssbs", [3, 3, 4, 2, 6]],
  ["fpcr", [3, 3, 4, 4, 0]],
  ["fpsr", [3, 3, 4, 4, 1]],
  ["dspsr_el0", [3, 3, 4, 5, 0]],
  ["dlr_el0", [3, 3, 4, 5, 1]],

  // Software's own.
  ["tpidr_el1", [3, 0, 13, 0, 4]],
  ["tpidr_el0", [3, 3, 13, 0, 2]],
  ["tpidrro_el0", [3, 3, 13, 0, 3]],
  ["rndr", [3, 3, 2, 4, 0]],
  ["rndrrs", [3, 3, 2, 4, 1]],

  // Generic timer.
  ["cntkctl_el1", [3, 0, 14, 1, 0]],
  ["cntfrq_el0", [3, 3, 14, 0, 0]],
  ["cntpct_el0", [3, 3, 14, 0, 1]],
  ["cntvct_el0", [3, 3, 14, 0, 2]],
  ["cntpctss_el0", [3, 3, 14, 0, 5]],
  ["cntvctss_el0", [3, 3, 14, 0, 6]],
  ["cntp_tval_el0", [3, 3, 14, 2, 0]],
  ["cntp_ctl_el0", [3, 3, 14, 2, 1]],
  ["cntp_cval_el0", [3, 3, 14, 2, 2]],
  ["cntv_tval_el0", [3, 3, 14, 3, 0]],
  ["cntv_ctl_el0", [3, 3, 14, 3, 1]],
  ["cntv_cval_el0", [3, 3, 14, 3, 2]],

  // Performance monitors.
  ["pmintenset_el1", [3, 0, 9, 14, 1]],
  ["pmintenclr_el1", [3, 0, 9, 14, 2]],
  ["pmmir_el1", [3, 0, 9, 14, 6]],
  ["pmcr_el0", [3, 3, 9, 12, 0]],
  ["pmcntenset_el0", [3, 3, 9, 12, 1]],
  ["pmcntenclr_el0", [3, 3, 9, 12, 2]],
  ["pmovsclr_el0", [3, 3, 9, 12, 3]],
  ["pmswinc_el0", [3, 3, 9, 12, 4]],
  ["pmselr_el0", [3, 3, 9, 12, 5]],
  ["pmceid0_el0", [3, 3, 9, 12, 6]],
  ["pmceid1_el0", [3, 3, 9, 12, 7]],
  ["pmccntr_el0", [3, 3, 9, 13, 0]],
  ["pmxevtyper_el0", [3, 3, 9, 13, 1]],
  ["pmxevcntr_el0", [3, 3, 9, 13, 2]],
  ["pmuserenr_el0", [3, 3, 9, 14, 0]],
  ["pmovsset_el0", [3, 3, 9, 14, 3]],
  ["pmccfiltr_el0", [3, 3, 14, 15, 7]],

  // GIC CPU interface.
  ["icc_pmr_el1", [3, 0, 4, 6, 0]],
  ["icc_iar0_el1", [3, 0, 12, 8, 0]],
  ["icc_eoir0_el1", [3, 0, 12, 8, 1]],
  ["icc_hppir0_el1", [3, 0, 12, 8, 2]],
  ["icc_bpr0_el1", [3, 0, 12, 8, 3]],
  ["icc_dir_el1", [3, 0, 12, 11, 1]],
  ["icc_rpr_el1", [3, 0, 12, 11, 3]],
  ["icc_sgi1r_el1", [3, 0, 12, 11, 5]],
  ["icc_asgi1r_el1", [3, 0, 12, 11, 6]],
  ["icc_sgi0r_el1", [3, 0, 12, 11, 7]],
  ["icc_iar1_el1", [3, 0, 12, 12, 0]],
  ["icc_eoir1_el1", [3, 0, 12, 12, 1]],
  ["icc_hppir1_el1", [3, 0, 12, 12, 2]],
  ["icc_bpr1_el1", [3, 0, 12, 12, 3]],
  ["icc_ctlr_el1", [3, 0, 12, 12, 4]],
  ["icc_sre_el1", [3, 0, 12, 12, 5]],
  ["icc_igrpen0_el1", [3, 0, 12, 12, 6]],
  ["icc_igrpen1_el1", [3, 0, 12, 12, 7]],
  ["icc_sre_el2", [3, 4, 12, 9, 5]],
  ["icc_ctlr_el3", [3, 6, 12, 12, 4]],
  ["icc_sre_el3", [3, 6, 12, 12, 5]],
  ["icc_igrpen1_el3", [3, 6, 12, 12, 7]],
  ["ich_hcr_el2", [3, 4, 12, 11, 0]],
  ["ich_vtr_el2", [3, 4, 12, 11, 1]],
  ["ich_misr_el2", [3, 4, 12, 11, 2]],
  ["ich_eisr_el2", [3, 4, 12, 11, 3]],
  ["ich_elrsr_el2", [3, 4, 12, 11, 5]],
  ["ich_vmcr_el2", [3, 4, 12, 11, 7]],

  // Debug.
  ["osdtrrx_el1", [2, 0, 0, 0, 2]],
  ["mdccint_el1", [2, 0, 0, 2, 0]],
  ["mdscr_el1", [2, 0, 0, 2, 2]],
  ["osdtrtx_el1", [2, 0, 0, 3, 2]],
  ["oseccr_el1", [2, 0, 0, 6, 2]],
  ["mdrar_el1", [2, 0, 1, 0, 0]],
  ["oslar_el1", [2, 0, 1, 0, 4]],
  ["oslsr_el1", [2, 0, 1, 1, 4]],
  ["osdlr_el1", [2, 0, 1, 3, 4]],
  ["dbgprcr_el1", [2, 0, 1, 4, 4]],
  ["dbgclaimset_el1", [2, 0, 7, 8, 6]],
  ["dbgclaimclr_el1", [2, 0, 7, 9, 6]],
  ["dbgauthstatus_el1", [2, 0, 7, 14, 6]],
  ["mdccsr_el0", [2, 3, 0, 1, 0]],
  ["dbgdtr_el0", [2, 3, 0, 4, 0]],
  ["dbgvcr32_el2", [2, 4, 0, 7, 0]],

  // EL2.
  ["vpidr_el2", [3, 4, 0, 0, 0]],
  ["vmpidr_el2", [3, 4, 0, 0, 5]],
  ["sctlr_el2", [3, 4, 1, 0, 0]],
  ["actlr_el2", [3, 4, 1, 0, 1]],
  ["hcr_el2", [3, 4, 1, 1, 0]],
  ["mdcr_el2", [3, 4, 1, 1, 1]],
  ["cptr_el2", [3, 4, 1, 1, 2]],
  ["hstr_el2", [3, 4, 1, 1, 3]],
  ["hacr_el2", [3, 4, 1, 1, 7]],
  ["ttbr0_el2", [3, 4, 2, 0, 0]],
  ["ttbr1_el2", [3, 4, 2, 0, 1]],
  ["tcr_el2", [3, 4, 2, 0, 2]],
  ["vttbr_el2", [3, 4, 2, 1, 0]],
  ["vtcr_el2", [3, 4, 2, 1, 2]],
  ["dacr32_el2", [3, 4, 3, 0, 0]],
  ["spsr_el2", [3, 4, 4, 0, 0]],
  ["elr_el2", [3, 4, 4, 0, 1]],
  ["sp_el1", [3, 4, 4, 1, 0]],
  ["spsr_irq", [3, 4, 4, 3, 0]],
  ["spsr_abt", [3, 4, 4, 3, 1]],
  ["spsr_und", [3, 4, 4, 3, 2]],
  ["spsr_fiq", [3, 4, 4, 3, 3]],
  ["ifsr32_el2", [3, 4, 5, 0, 1]],
  ["afsr0_el2", [3, 4, 5, 1, 0]],
  ["afsr1_el2", [3, 4, 5, 1, 1]],
  ["esr_el2", [3, 4, 5, 2, 0]],
  ["vsesr_el2", [3, 4, 5, 2, 3]],
  ["fpexc32_el2", [3, 4, 5, 3, 0]],
  ["far_el2", [3, 4, 6, 0, 0]],
  ["hpfar_el2", [3, 4, 6, 0, 4]],
  ["mair_el2", [3, 4, 10, 2, 0]],
  ["amair_el2", [3, 4, 10, 3, 0]],
  ["vbar_el2", [3, 4, 12, 0, 0]],
  ["rvbar_el2", [3, 4, 12, 0, 1]],
  ["rmr_el2", [3, 4, 12, 0, 2]],
  ["vdisr_el2", [3, 4, 12, 1, 1]],
  ["contextidr_el2", [3, 4, 13, 0, 1]],
  ["tpidr_el2", [3, 4, 13, 0, 2]],
  ["cntvoff_el2", [3, 4, 14, 0, 3]],
  ["cnthctl_el2", [3, 4, 14, 1, 0]],
  ["cnthp_tval_el2", [3, 4, 14, 2, 0]],
  ["cnthp_ctl_el2", [3, 4, 14, 2, 1]],
  ["cnthp_cval_el2", [3, 4, 14, 2, 2]],
  ["cnthv_tval_el2", [3, 4, 14, 3, 0]],
  ["cnthv_ctl_el2", [3, 4, 14, 3, 1]],
  ["cnthv_cval_el2", [3, 4, 14, 3, 2]],

  // EL1's and EL0's as a host at EL2 reaches them (FEAT_VHE).
  ["sctlr_el12", [3, 5, 1, 0, 0]],
  ["cpacr_el12", [3, 5, 1, 0, 2]],
  ["ttbr0_el12", [3, 5, 2, 0, 0]],
  ["ttbr1_el12", [3, 5, 2, 0, 1]],
  ["tcr_el12", [3, 5, 2, 0, 2]],
  ["spsr_el12", [3, 5, 4, 0, 0]],
  ["elr_el12", [3, 5, 4, 0, 1]],
  ["afsr0_el12", [3, 5, 5, 1, 0]],
  ["afsr1_el12", [3, 5, 5, 1, 1]],
  ["esr_el12", [3, 5, 5, 2, 0]],
  ["far_el12", [3, 5, 6, 0, 0]],
  ["mair_el12", [3, 5, 10, 2, 0]],
  ["amair_el12", [3, 5, 10, 3, 0]],
  ["vbar_el12", [3, 5, 12, 0, 0]],
  ["contextidr_el12", [3, 5, 13, 0, 1]],
  ["cntkctl_el12", [3, 5, 14, 1, 0]],
  ["cntp_tval_el02", [3, 5, 14, 2, 0]],
  ["cntp_ctl_el02", [3, 5, 14, 2, 1]],
  ["cntp_cval_el02", [3, 5, 14, 2, 2]],
  ["cntv_tval_el02", [3, 5, 14, 3, 0]],
  ["cntv_ctl_el02", [3, 5, 14, 3, 1]],
  ["cntv_cval_el02", [3, 5, 14, 3, 2]],

  // EL3.
  ["sctlr_el3", [3, 6, 1, 0, 0]],
  ["actlr_el3", [3, 6, 1, 0, 1]],
  ["scr_el3", [3, 6, 1, 1, 0]],
  ["sder32_el3", [3, 6, 1, 1, 1]],
  ["cptr_el3", [3, 6, 1, 1, 2]],
  ["mdcr_el3", [3, 6, 1, 3, 1]],
  ["ttbr0_el3", [3, 6, 2, 0, 0]],
  ["tcr_el3", [3, 6, 2, 0, 2]],
  ["spsr_el3", [3, 6, 4, 0, 0]],
  ["elr_el3", [3, 6, 4, 0, 1]],
  ["sp_el2", [3, 6, 4, 1, 0]],
  ["afsr0_el3", [3, 6, 5, 1, 0]],
  ["afsr1_el3", [3, 6, 5, 1, 1]],
  ["esr_el3", [3, 6, 5, 2, 0]],
  ["far_el3", [3, 6, 6, 0, 0]],
  ["mair_el3", [3, 6, 10, 2, 0]],
  ["amair_el3", [3, 6, 10, 3, 0]],
  ["vbar_el3", [3, 6, 12, 0, 0]],
  ["rvbar_el3", [3, 6, 12, 0, 1]],
  ["rmr_el3", [3, 6, 12, 0, 2]],
  ["tpidr_el3", [3, 6, 13, 0, 2]],
  ["cntps_tval_el1", [3, 7, 14, 2, 0]],
  ["cntps_ctl_el1", [3, 7, 14, 2, 1]],
  ["cntps_cval_el1", [3, 7, 14, 2, 2]],
] as const satisfies readonly (readonly [string, Encoding])[];

const family = <Prefix extends string, Suffix extends string>(prefix: Prefix, suffix: Suffix, count: number, encode: (index: number) => Encoding) =>
  Array.from({ length: count }, (_, index): readonly [`${Prefix}${number}${Suffix}`, Encoding] => [`${prefix}${index}${suffix}`, encode(index)]);

const SYSTEM_REGISTER_FAMILIES = [
  ...family("dbgbvr", "_el1", 16, (n) => [2, 0, 0, n, 4]),
  ...family("dbgbcr", "_el1", 16, (n) => [2, 0, 0, n, 5]),
  ...family("dbgwvr", "_el1", 16, (n) => [2, 0, 0, n, 6]),
  ...family("dbgwcr", "_el1", 16, (n) => [2, 0, 0, n, 7]),
  ...family("pmevcntr", "_el0", 31, (n) => [3, 3, 14, 8 + (n >> 3), n & 7]),
  ...family("pmevtyper", "_el0", 31, (n) => [3, 3, 14, 12 + (n >> 3), n & 7]),
  ...family("icc_ap0r", "_el1", 4, (n) => [3, 0, 12, 8, 4 + n]),
  ...family("icc_ap1r", "_el1", 4, (n) => [3, 0, 12, 9, n]),
  ...family("ich_ap0r", "_el2", 4, (n) => [3, 4, 12, 8, n]),
  ...family("ich_ap1r", "_el2", 4, (n) => [3, 4, 12, 9, n]),
  ...family("ich_lr", "_el2", 16, (n) => [3, 4, 12, 12 + (n >> 3), n & 7]),
];

export type SystemRegisterName = (typeof NAMED_SYSTEM_REGISTERS)[number][0] | (typeof SYSTEM_REGISTER_FAMILIES)[number][0];

export interface SystemRegister {
  readonly name: SystemRegisterName;
  readonly number: number;
}

const ENCODINGS: readonly (readonly [SystemRegisterName, Encoding])[] = [...NAMED_SYSTEM_REGISTERS, ...SYSTEM_REGISTER_FAMILIES];
export const SYSTEM_REGISTERS: readonly SystemRegister[] = ENCODINGS.map(([name, encoding]) => ({ name, number: systemRegisterNumber(...encoding) }));

const systemNumbers = new Map<string, number>(SYSTEM_REGISTERS.map(({ name, number }) => [name, number]));
const systemNames = new Map<number, SystemRegisterName>(SYSTEM_REGISTERS.map(({ name, number }) => [number, name]));

/** By name, or written as its encoding: s3_0_c1_c0_0. */
export function findSystemRegister(name: string): number | undefined {
  const lower = name.toLowerCase();
  const known = systemNumbers.get(lower);
  if (known !== undefined) return known;
  const [, op0, op1, crn, crm, op2] = (/^s([23])_([0-7])_c(\d|1[0-5])_c(\d|1[0-5])_([0-7])$/.exec(lower) ?? []).map(Number);
  if (op0 === undefined || op1 === undefined || crn === undefined || crm === undefined || op2 === undefined) return undefined;
  return systemRegisterNumber(op0, op1, crn, crm, op2);
}

export function writeSystemRegister(number: number): string {
  const name = systemNames.get(number);
  if (name !== undefined) return name;
  return `s${number >> 14}_${(number >> 11) & 7}_c${(number >> 7) & 15}_c${(number >> 3) & 15}_${number & 7}`;
}
