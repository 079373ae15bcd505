// Completion for shells, made of the tables of commands and options, so that it never knows less or other than the tool. A script is
// static: pressing the tab key starts no process. Paths complete as the shell does it.

import { HELP_OPTION, type OptionRow } from "./options.ts";

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionRow[];
  /** Words that it takes beside paths. */
  readonly words: readonly string[];
}

export interface CompletionTable {
  readonly commands: readonly CompletedCommand[];
  /** Values of options that are not choices, by the option's name. */
  readonly values: Readonly<Record<string, readonly string[]>>;
}

/** In front of these the shell's words for paths make no sense. */
function valuesOf({ name, choices }: OptionRow, { values }: CompletionTable): readonly string[] {
  return choices ?? values[name] ?? [];
}

function takesValue({ value, implied }: OptionRow): boolean {
  return value !== undefined && implied === undefined;
}

function spellings({ name, short }: OptionRow): readonly string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

function allOptions({ options }: CompletedCommand): readonly OptionRow[] {
  return [...options, HELP_OPTION];
}

function formatBash(table: CompletionTable): string {
  const names = table.commands.map(({ name }) => name);
  const valueCases = table.commands.flatMap((command) =>
    allOptions(command).flatMap((row) => {
      if (row.value === undefined) return [];
      const patterns = spellings(row).map((spelling) => `${command.name}:${spelling}`);
      const values = valuesOf(row, table);
      if (values.length > 0) return [`    ${patterns.join("|")}) COMPREPLY=($(compgen -W '${values.join(" ")}' -- "$cur")); return ;;`];
      // Any text or a path: nothing of ours, and the shell's own completion.
      return takesValue(row) ? [`    ${patterns.join("|")}) return ;;`] : [];
    }),
  );
  const optionCases = table.commands.map((command) => `      ${command.name}) words='${allOptions(command).flatMap(spellings).join(" ")}' ;;`);
  const wordCases = table.commands.filter(({ words }) => words.length > 0).map(({ name, words }) => `      ${name}) words='${words.join(" ")}' ;;`);
  return `# bash completion for guestspec: source it, or keep it in ~/.local/share/bash-completion/completions/guestspec
_guestspec() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=run at=0 words=''
  # --option=value comes as three words.
  if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if ((COMP_CWORD > 1)); then
    case \${COMP_WORDS[1]} in
      ${names.join("|")}) command=\${COMP_WORDS[1]} at=1 ;;
    esac
  fi
  COMPREPLY=()
  case $command:$prev in
${valueCases.join("\n")}
  esac
  if [[ $cur == -* ]]; then
    case $command in
${optionCases.join("\n")}
    esac
  elif ((COMP_CWORD == 1)); then
    words='${names.join(" ")}'
  elif ((COMP_CWORD == at + 1)); then
    case $command in
${wordCases.join("\n")}
      *) return ;;
    esac
  fi
  [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _guestspec guestspec
`;
}

/** Within single quotes, where zsh's \`_arguments\` gives brackets and colons a meaning. */
function quoteZsh(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&").replaceAll("'", "'\\''");
}

function formatZshOption(row: OptionRow, table: CompletionTable): string {
  const values = valuesOf(row, table);
  const action = row.value === undefined ? "" : `:${quoteZsh(row.value)}:${values.length > 0 ? `(${values.join(" ")})` : "_files"}`;
  const repeat = row.multiple === undefined ? "" : "*";
  return spellings(row)
    .map((spelling) => {
      const form = row.value === undefined || spelling.length === 2 ? spelling : `${spelling}${takesValue(row) ? "=" : "=-"}`;
      const optional = row.implied === undefined ? action : action.replace(/^:/, "::");
      return `      '${repeat}${form}[${quoteZsh(row.help)}]${optional}' \\`;
    })
    .join("\n");
}

function formatZsh(table: CompletionTable): string {
  const cases = table.commands.map((command) => {
    const words = command.words.length === 0 ? "_files" : `{_alternative 'words:word:(${command.words.join(" ")})' 'files:file:_files'}`;
    return `    ${command.name})
    _arguments -s -S \\
${allOptions(command)
  .map((row) => formatZshOption(row, table))
  .join("\n")}
      '*:argument:${words}' ;;`;
  });
  return `#compdef guestspec
# zsh completion for guestspec: keep it as _guestspec in a folder of $fpath
_guestspec() {
  local -a commands=(
${table.commands.map(({ name, summary }) => `    '${name}:${quoteZsh(summary)}'`).join("\n")}
  )
  local command=run
  if ((CURRENT == 2)) && [[ $PREFIX != -* ]]; then
    _describe command commands
    _files
    return
  fi
  if ((\${commands[(I)$words[2]:*]})); then
    command=$words[2]
    shift words
    ((CURRENT--))
  fi
  case $command in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _guestspec ]]; then _guestspec "$@"; else compdef _guestspec guestspec; fi
`;
}

function quoteFish(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

function formatFish(table: CompletionTable): string {
  const names = table.commands.map(({ name }) => name).join(" ");
  const lines = [
    "# fish completion for guestspec: keep it as ~/.config/fish/completions/guestspec.fish",
    `set -l commands ${names}`,
    ...table.commands.map(({ name, summary }) => `complete -c guestspec -n "not __fish_seen_subcommand_from $commands" -a ${name} -d ${quoteFish(summary)}`),
  ];
  for (const command of table.commands) {
    // What no command is named for belongs to \`run\`.
    const others = names
      .split(" ")
      .filter((name) => name !== "run")
      .join(" ");
    const condition = command.name === "run" ? `not __fish_seen_subcommand_from ${others}` : `__fish_seen_subcommand_from ${command.name}`;
    for (const row of allOptions(command)) {
      const values = valuesOf(row, table);
      const parts = [
        `complete -c guestspec -n "${condition}" -l ${row.name}`,
        ...(row.short === undefined ? [] : [`-s ${row.short}`]),
        ...(takesValue(row) ? ["-r"] : []),
        ...(values.length === 0 ? [] : [`-f -a ${quoteFish(values.join(" "))}`]),
        `-d ${quoteFish(row.help)}`,
      ];
      lines.push(parts.join(" "));
    }
    if (command.words.length > 0) lines.push(`complete -c guestspec -n "${condition}" -a ${quoteFish(command.words.join(" "))}`);
  }
  return `${lines.join("\n")}\n`;
}

export const COMPLETION_SCRIPTS: Readonly<Record<string, (table: CompletionTable) => string>> = { bash: formatBash, zsh: formatZsh, fish: formatFish };
