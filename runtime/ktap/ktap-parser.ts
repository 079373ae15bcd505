// Reads KTAP 1 and 2, TAP 13 and 14 out of any console log, line by line: what comes before, between and behind is text. Blocks nest by their
// columns, whatever the step; a block ends with the result line of its parent. kselftest's way, children behind `# `, nests as well. Each top
// result is handed on, with all below it, when its line comes; what a plan announced and the log does not hold is handed on as missing, for no
// report may be green by omission.

import { createPrefixCutter } from "./console-prefix.ts";
import { readKtapLine, type Directive, type ResultLine } from "./ktap-line.ts";
import { isBad, type KtapNode, type NodeLine } from "./ktap-node.ts";
import type { KtapProblem, KtapProblemName } from "./ktap-problems.ts";

export interface KtapStep {
  /** Results of the top level that this line completed. */
  readonly nodes: readonly KtapNode[];
  readonly problems: readonly KtapProblem[];
  /** A document began. */
  readonly isStart: boolean;
}

export interface KtapParser {
  push(raw: string): KtapStep;
  end(): KtapStep;
  /** Of the document that is read: what its producer says of itself, and its format. */
  readonly header: readonly string[];
  readonly format: "ktap" | "tap";
}

interface Block {
  readonly column: number;
  /** How many `# ` stand before its lines. */
  readonly comments: number;
  name: string;
  plan: number | null;
  skipReason: string | null;
  results: number;
  children: KtapNode[];
  header: string[];
  /** Nothing but its opening has been read. */
  isNew: boolean;
  hasVersion: boolean;
  metadata: Map<string, string>;
}

/** The kernel says these when it is at its end: what follows is no test's doing. */
const END_OF_KERNEL = /List of all partitions:|Kernel panic - not syncing: VFS:|reboot: System halted|reboot: Power down/;
/** The kernel, or the thread that ran the test, did not survive. */
const FATAL = /Kernel panic - not syncing|\bOops\b|\bBUG: |Unable to handle kernel|general protection fault|Internal error: |segfault at /;
const EXECUTOR_ERROR = /^(?:# )?kunit executor: (.*)$/;
/** KUnit writes the case in front of what it says. */
const BLAME = /^([\w./-]+): /;

/** What a block says of itself: KUnit's attributes, and our own. */
const ATTRIBUTE = /^(?:module|speed|is_init|file|target): /;

const CONTEXT_LINES = 3;
/** A plan that is wrong must not make a million results. */
const MOST_MISSING = 64;
/** Of lines kept for one result. */
const MAX_LINES = 4096;
const TAB = 4;

function columnOf(text: string): { readonly column: number; readonly content: string } {
  let column = 0;
  let at = 0;
  for (; at < text.length; at++) {
    if (text[at] === " ") column++;
    else if (text[at] === "\t") column += TAB - (column % TAB);
    else break;
  }
  return { column, content: text.slice(at).trimEnd() };
}

export function createKtapParser(): KtapParser {
  const prefix = createPrefixCutter();
  const context: string[] = [];
  let lineNumber = 0;
  let family: "ktap" | "tap" = "ktap";
  /** From the outermost; none: no document is open. */
  let stack: Block[] = [];
  let hasDocument = false;
  let pending: NodeLine[] = [];
  let pendingMetadata = new Map<string, string>();
  let pendingName = "";
  let fatal: string | null = null;
  /** TAP's YAML block, which follows its result. */
  let yaml: { readonly indent: number; readonly of: KtapNode & { lines: NodeLine[] } } | null = null;
  let last: (KtapNode & { lines: NodeLine[] }) | null = null;
  let seconds: number | null = null;
  let since: number | null = null;
  let nodes: KtapNode[] = [];
  let problems: KtapProblem[] = [];
  let isStart = false;
  let header: readonly string[] = [];

  const report = (name: KtapProblemName, message: string): void => void problems.push({ name, message, line: lineNumber, context: [...context] });
  const top = (): Block | undefined => stack.at(-1);

  function open(column: number, comments: number, name = ""): Block {
    const block: Block = {
      column,
      comments,
      name,
      plan: null,
      skipReason: null,
      results: 0,
      children: [],
      header: [],
      isNew: true,
      hasVersion: false,
      metadata: new Map(),
    };
    stack.push(block);
    return block;
  }

  function keep(line: NodeLine): void {
    if (pending.length < MAX_LINES) pending.push(line);
  }

  function takeSeconds(): number {
    const spent = seconds === null || since === null ? 0 : Math.max(0, seconds - since);
    since = seconds;
    return spent;
  }

  /** A result of the innermost block. */
  function add(node: KtapNode): void {
    const block = top();
    if (block === undefined) return;
    block.results++;
    block.isNew = false;
    block.children.push(node);
    if (stack.length === 1) {
      block.children = [];
      nodes.push(node);
    }
  }

  /** What the log does not tell: a result that did not come. */
  function addMissing(block: Block): void {
    const planned = block.plan ?? block.results;
    const blame = pending.reduce<string>((name, { kind, text }) => (kind === "diagnostic" ? (BLAME.exec(text)?.[1] ?? name) : name), "");
    for (let isFirst = true; block.results < planned; isFirst = false) {
      const left = planned - block.results;
      const number = block.results + 1;
      const isCrash = isFirst && (fatal !== null || pending.length > 0);
      const many = left > MOST_MISSING ? `results ${number} to ${planned}` : `result ${number} of ${planned}`;
      add({
        name: isCrash && blame !== "" ? blame : `(${many})`,
        isOk: false,
        directive: null,
        data: isFirst && fatal !== null ? fatal : "",
        state: isCrash ? "crashed" : "missing",
        line: lineNumber,
        children: [],
        header: [],
        lines: pending,
        metadata: new Map(),
        seconds: isFirst ? takeSeconds() : 0,
      });
      pending = [];
      fatal = null;
      if (left > MOST_MISSING) block.results = planned;
    }
  }

  /** A block whose parent's result did not come. `isAtEnd`: nothing else did. */
  function breakBlock(isAtEnd: boolean): void {
    const block = top();
    if (block === undefined || stack.length === 1) return;
    const isCut = block.plan !== null && block.results < block.plan;
    // Without a plan nobody knows what else would have come.
    const isCrash = block.plan === null ? isAtEnd : block.results === 0 && !isCut;
    const cause = fatal ?? "";
    addMissing(block);
    stack.pop();
    if (!isCut && !isCrash) report("missing-parent", `the result of ${block.name === "" ? "this block" : `\`${block.name}\``} never came`);
    add({
      name: block.name === "" ? `(result ${(top()?.results ?? 0) + 1})` : block.name,
      isOk: !isCrash && !block.children.some(isBad),
      directive: null,
      data: cause,
      state: isCrash ? "crashed" : "told",
      line: lineNumber,
      children: block.children,
      header: block.header,
      lines: pending,
      metadata: block.metadata,
      seconds: 0,
    });
    pending = [];
  }

  function finishDocument(): void {
    const [root] = stack;
    if (root === undefined) return;
    while (stack.length > 1) breakBlock(true);
    addMissing(root);
    if (root.results === 0 && root.skipReason === null) report("no-results", "the document has no result");
    stack = [];
    pending = [];
    fatal = null;
    last = null;
    yaml = null;
  }

  function startDocument(version: number, column: number, comments: number): void {
    finishDocument();
    checkVersion(version);
    hasDocument = true;
    isStart = true;
    pending = [];
    since = seconds;
    const root = open(column, comments);
    root.hasVersion = true;
    header = root.header;
  }

  function checkVersion(version: number): void {
    const known = family === "ktap" ? [1, 2] : [13, 14];
    if (!known.includes(version)) report("bad-version", `${family.toUpperCase()} version ${version} is not known: ${known.join(" and ")} are`);
  }

  /** The block that a line at a column belongs to becomes the innermost one. */
  function closeTo(column: number): Block | undefined {
    for (let block = top(); block !== undefined && stack.length > 1 && block.column > column; block = top()) breakBlock(false);
    return top();
  }

  function beginBlock(column: number, comments: number): Block {
    // What was said since the last result is about what begins.
    const block = open(column, comments, pendingName);
    block.metadata = pendingMetadata;
    const { diagnostic = [], text = [] } = Object.groupBy(pending, ({ kind }) => kind);
    block.header.push(...diagnostic.map((line) => line.text));
    pending = text;
    pendingName = "";
    pendingMetadata = new Map();
    since = seconds;
    return block;
  }

  function takeVersion(version: number, column: number, comments: number): void {
    const block = top();
    const [root] = stack;
    if (block === undefined || root === undefined || (column <= root.column && !(root.isNew && !root.hasVersion))) {
      startDocument(version, column, comments);
      return;
    }
    checkVersion(version);
    if (column === block.column && block.isNew && !block.hasVersion) {
      block.hasVersion = true;
      return;
    }
    closeTo(column);
    const inner = top();
    // A sibling block without the result of this one in between.
    if (inner !== undefined && stack.length > 1 && inner.column === column) breakBlock(false);
    beginBlock(column, comments).hasVersion = true;
  }

  function takeSubtest(name: string, column: number, comments: number): void {
    const block = top();
    if (block === undefined) return;
    if (column > block.column) beginBlock(column, comments).name = name;
    else if (column === block.column && block.isNew && block.name === "" && stack.length > 1) block.name = name;
    else if (column === block.column && stack.length > 1 && block.plan !== null && block.results >= block.plan) {
      breakBlock(false);
      beginBlock(column, comments).name = name;
    } else {
      const outer = closeTo(column);
      // TAP 14 names a subtest before it, at its parent's column; a block of KUnit may be named only.
      if (outer !== undefined && outer.column === column) pendingName = name;
      else if (outer !== undefined) beginBlock(column, comments).name = name;
    }
  }

  function takePlan(count: number, skipReason: string | null, column: number, comments: number): void {
    let block = top();
    if (block === undefined) return;
    if (column > block.column) block = beginBlock(column, comments);
    else block = closeTo(column) ?? block;
    if (block.plan !== null) {
      report("second-plan", `this block has a plan of ${block.plan} results already`);
      return;
    }
    if (block.results > 0 && family === "ktap") report("late-plan", `the plan stands behind ${block.results} result${block.results === 1 ? "" : "s"}`);
    block.plan = count;
    block.skipReason = skipReason;
    block.isNew = block.results === 0;
    if (block.results > count) report("extra-result", `the plan says ${count}, ${block.results} came`);
    if (count === 0 && stack.length === 1 && skipReason !== null) add(nodeOf(skippedAll(skipReason), []));
  }

  function skippedAll(reason: string): ResultLine {
    return { kind: "result", isOk: true, number: 1, name: "(all)", directive: { kind: "SKIP", reason }, data: "" };
  }

  function nodeOf(result: ResultLine, children: readonly KtapNode[], block: Block | null = null): KtapNode & { lines: NodeLine[] } {
    const isEmpty = block !== null && result.isOk && children.length === 0 && block.skipReason === null && result.directive?.kind !== "SKIP";
    const skip: Directive | null = block === null || block.skipReason === null ? null : { kind: "SKIP", reason: block.skipReason };
    const node: KtapNode & { lines: NodeLine[] } = {
      name: result.name,
      isOk: result.isOk,
      directive: result.directive ?? skip,
      data: result.data,
      state: isEmpty ? "empty" : "told",
      line: lineNumber,
      children,
      header: block?.header ?? [],
      lines: pending,
      metadata: block === null ? pendingMetadata : block.metadata,
      seconds: takeSeconds(),
    };
    pending = [];
    pendingMetadata = new Map();
    pendingName = "";
    fatal = null;
    return node;
  }

  function takeResult(given: ResultLine, column: number, comments: number): void {
    let block = top();
    if (block === undefined) return;
    if (column > block.column) {
      // Deeper than the lines that opened the block: it is indented unevenly, or it has no opening lines.
      if (block.isNew && stack.length > 1) stack[stack.length - 1] = block = { ...block, column };
      else block = beginBlock(column, comments);
    }
    // Of the blocks to the right of this line the outermost one ends here; those inside it lack their own results.
    const ending = stack.findIndex((open, depth) => depth > 0 && open.column > column);
    let closed: Block | null = null;
    if (ending > 0) {
      while (stack.length - 1 > ending) breakBlock(false);
      closed = stack.pop() ?? null;
      if (closed !== null) {
        stack.push(closed);
        addMissing(closed);
        stack.pop();
      }
    }
    const parent = top() ?? block;
    releaseHeader(parent);
    const result = namedBySkip(given);
    checkNumber(parent, result);
    checkResult(result, closed);
    const node = nodeOf(result, closed?.children ?? [], closed);
    last = node;
    add(node);
  }

  /** Without a plan the diagnostics of the first result cannot be told from those of its block, but by what they say. */
  function releaseHeader(block: Block): void {
    if (block.plan !== null || block.results > 0 || block.header.length === 0) return;
    const { own = [], others = [] } = Object.groupBy(block.header, (text) => (ATTRIBUTE.test(text) ? "own" : "others"));
    block.header = own;
    pending = [...others.map((text) => ({ kind: "diagnostic", text }) as const), ...pending];
  }

  /** kselftest: `ok 3 # SKIP name`. */
  function namedBySkip(result: ResultLine): ResultLine {
    if (result.name !== "" || result.directive === null || result.directive.reason === "") return result;
    return { ...result, name: result.directive.reason, directive: { ...result.directive, reason: "" } };
  }

  function checkNumber(block: Block, { number }: ResultLine): void {
    const awaited = block.results + 1;
    if (number === null) {
      if (family === "ktap") report("missing-number", `a result of KTAP has a number; this one would be ${awaited}`);
    } else if (number !== awaited) report("wrong-number", `expected result ${awaited}, found ${number}`);
    if (block.plan !== null && awaited > block.plan) report("extra-result", `the plan says ${block.plan}, this is result ${awaited}`);
  }

  function checkResult({ isOk, name, directive }: ResultLine, closed: Block | null): void {
    if (name === "" && closed !== null && closed.name === "") report("missing-name", "neither the block nor its result has a name");
    if (closed !== null && closed.name !== "" && name !== "" && closed.name !== name)
      report("other-name", `the block is \`${closed.name}\`, its result \`${name}\``);
    if (isOk && (directive?.kind === "TIMEOUT" || directive?.kind === "ERROR")) report("contradiction", `\`ok\` with ${directive.kind}`);
    if (isOk && closed?.children.some(isBad) === true) report("good-parent", `\`${name}\` is ok, but not all of its results are`);
  }

  function takeYaml(text: string): boolean {
    if (yaml !== null) {
      const { column, content } = columnOf(text);
      if (column >= yaml.indent && content === "...") yaml = null;
      else yaml.of.lines.push({ kind: "yaml", text: text.slice(yaml.indent) });
      return true;
    }
    if (last === null || family !== "tap" || pending.length > 0) return false;
    const { column, content } = columnOf(text);
    if (content !== "---" || column <= (top()?.column ?? 0)) return false;
    yaml = { indent: column, of: last };
    return true;
  }

  /** Splits off `# ` as often as blocks are open behind it. */
  function peel(text: string): { readonly rest: string; readonly comments: number } {
    const depth = top()?.comments ?? 0;
    let rest = text;
    let comments = 0;
    while (/^\s*#(?: |$)/.test(rest) && (comments < depth || /^\s*# ?K?TAP version \d+\s*$/.test(rest))) {
      rest = rest.replace(/^(\s*)# ?/, "$1");
      comments++;
    }
    return { rest, comments };
  }

  function readLine(raw: string): void {
    if (stack.length === 0) prefix.learn(raw);
    const cut = prefix.cut(raw);
    seconds = cut.seconds ?? seconds;
    if (takeYaml(cut.text)) return;
    const { rest, comments } = peel(cut.text);
    const { column: indent, content } = columnOf(rest);
    const column = indent + 2 * comments;
    const line = readKtapLine(content);
    if (stack.length === 0 && line.kind !== "version") {
      const executor = EXECUTOR_ERROR.exec(content);
      if (executor !== null) report("executor-error", `KUnit's executor says: ${executor[1] ?? ""}`);
      return;
    }
    switch (line.kind) {
      case "version":
        if (stack.length === 0 || column <= (stack[0]?.column ?? 0)) family = line.family;
        return takeVersion(line.version, column, comments);
      case "subtest":
        return takeSubtest(line.name, column, comments);
      case "plan":
        return takePlan(line.count, line.skipReason, column, comments);
      case "result":
        return takeResult(line, column, comments);
      case "metadata":
        return takeMetadata(line.key, line.value, column);
      case "bail-out":
        report("bail-out", line.reason === "" ? "the producer gave up" : `the producer gave up: ${line.reason}`);
        fatal ??= content;
        return finishDocument();
      case "pragma":
        return;
      case "diagnostic": {
        const block = top();
        if (block !== undefined && block.isNew && block.plan === null && column === block.column) block.header.push(line.text);
        else keep({ kind: "diagnostic", text: line.text });
        return;
      }
      case "text":
        return takeText(content, cut.text);
    }
  }

  /** KTAP 2: of the innermost block while it has no results, else of the next result. */
  function takeMetadata(key: string, value: string, column: number): void {
    const block = top();
    if (block === undefined) return;
    if (block.isNew && column === block.column && stack.length > 1 && block.plan === null) {
      if (key === "ktap_test") block.name = value;
      else block.metadata.set(key, value);
    } else if (key === "ktap_test") {
      pendingMetadata = new Map();
    } else pendingMetadata.set(key, value);
  }

  function takeText(content: string, text: string): void {
    if (content === "") return;
    if (FATAL.test(content)) fatal ??= content;
    const [root] = stack;
    if (END_OF_KERNEL.test(content)) {
      keep({ kind: "text", text: text.trimEnd() });
      finishDocument();
      return;
    }
    // Behind the last result nothing is waited for.
    if (stack.length === 1 && root !== undefined && root.plan !== null && root.results >= root.plan) return;
    keep({ kind: "text", text: text.trimEnd() });
  }

  function step(read: () => void): KtapStep {
    nodes = [];
    problems = [];
    isStart = false;
    read();
    return { nodes, problems, isStart };
  }

  return {
    push: (raw) =>
      step(() => {
        lineNumber++;
        context.push(raw.replace(/\r+$/, ""));
        if (context.length > CONTEXT_LINES) context.shift();
        readLine(raw);
      }),
    end: () =>
      step(() => {
        if (!hasDocument) report("no-document", "there is no version line of KTAP or TAP");
        finishDocument();
      }),
    get header() {
      return header;
    },
    get format() {
      return family;
    },
  };
}
