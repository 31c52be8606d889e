import { Command } from 'commander';

/** Shells that a script can be printed for. */
const SHELLS = ['bash', 'zsh', 'fish', 'kubectl'] as const;
type Shell = (typeof SHELLS)[number];

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# source <(kubectl-lockkeeper completion bash)
_kubectl_lockkeeper() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(kubectl-lockkeeper __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | sed '$d; s/\\t.*//')" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _kubectl_lockkeeper kubectl-lockkeeper
`,
  zsh: `#compdef kubectl-lockkeeper
# source <(kubectl-lockkeeper completion zsh), or as a file named _kubectl-lockkeeper on the fpath
_kubectl_lockkeeper() {
  local -a found
  found=(\${(f)"$(kubectl-lockkeeper __complete "\${(@)words[2,CURRENT]}" 2>/dev/null | sed '$d; s/:/\\\\:/g; s/\\t/:/')"})
  _describe 'kubectl lockkeeper' found
}
compdef _kubectl_lockkeeper kubectl-lockkeeper
`,
  fish: `# kubectl-lockkeeper completion fish | source
complete -c kubectl-lockkeeper -f -a '(kubectl-lockkeeper __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null | sed "\\$d")'
`,
  kubectl: `#!/bin/sh
# Executable, named kubectl_complete-lockkeeper, on the PATH: kubectl's own completion asks it, in any shell.
exec kubectl-lockkeeper __complete "$@"
`,
};

/** The `completion` command, and the hidden one that the shells' scripts ask; `names` are those of policies and nodes, where they can be had. */
export function completionCommands(
  program: Command,
  print: (text: string) => void,
  names: () => Promise<readonly string[]>,
): [Command, Command] {
  const completion = new Command('completion')
    .summary('a script that completes commands, flags and names in a shell')
    .description(
      'Prints a script for a shell to source; for `kubectl lockkeeper` itself the one named kubectl, which says what to do with it.',
    )
    .argument('<shell>', SHELLS.join(', '))
    .action((shell: string) => {
      if (!isShell(shell)) completion.error(`error: there is no script for ${shell}: ${SHELLS.join(', ')}`);
      else print(SCRIPTS[shell]);
    });
  const complete = new Command('__complete')
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      const found = await completionsOf(program, words, names);
      // As kubectl's own library has it: a candidate a line, a tab, what it is; 4 at the end says that no file is meant.
      print(`${found.map(([word, what]) => (what === '' ? word : `${word}\t${what}`)).join('\n')}${found.length > 0 ? '\n' : ''}:4\n`);
    });
  return [completion, complete];
}

const isShell = (text: string): text is Shell => SHELLS.some((shell) => shell === text);

/** What may stand in place of the last of some words, with what it is. */
export async function completionsOf(
  program: Command,
  words: readonly string[],
  names: () => Promise<readonly string[]>,
): Promise<[string, string][]> {
  const last = words.at(-1) ?? '';
  const [verb] = words.slice(0, -1).filter((word) => !word.startsWith('-'));
  const command = program.commands.find((one) => one.name() === verb);
  const candidates = async (): Promise<[string, string][]> => {
    if (command === undefined)
      return program.commands.filter((one) => !one.name().startsWith('_')).map((one) => [one.name(), one.summary() || 'the plan']);
    if (last.startsWith('-')) return command.options.map((option) => [option.long ?? option.flags, option.description]);
    if (command.name() === 'completion') return SHELLS.map((shell) => [shell, '']);
    const previous = words.at(-2) ?? '';
    const asked = command.options.find((option) => option.long === previous || option.short === previous);
    if (asked?.argChoices !== undefined) return asked.argChoices.map((choice) => [choice, '']);
    if (asked?.required === true || command.registeredArguments.length === 0) return [];
    return (await names()).map((name) => [name, '']);
  };
  return (await candidates()).filter(([word]) => word.startsWith(last));
}
