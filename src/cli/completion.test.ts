import { expect, test } from '@jest/globals';
import { Command } from 'commander';
import { verbCommands } from './by-hand/commands.ts';
import { completionCommands, completionsOf } from './completion.ts';

const said: string[] = [];
const program = new Command();
for (const command of verbCommands(async () => {})) program.addCommand(command);
for (const command of completionCommands(
  program,
  (text) => said.push(text),
  async () => ['default', 'node-1'],
))
  program.addCommand(command);

test.each([
  [['p'], ['pause', 'pin']],
  [
    ['pause', ''],
    ['default', 'node-1'],
  ],
  [['pause', 'default', 'n'], ['node-1']],
  [['pause', '--d'], ['--dry-run']],
  [['pause', '--dry-run', 's'], ['server']],
  [['pause', '--context', ''], []],
  [['completion', 'f'], ['fish']],
])('%j', async (words, expected) => {
  const found = await completionsOf(program, words, async () => ['default', 'node-1']);
  expect(found.map(([word]) => word)).toEqual(expected);
});

test("speaks as kubectl's own library does", async () => {
  await program.parseAsync(['__complete', 'pau'], { from: 'user' });
  await program.parseAsync(['__complete', 'pause', '--al'], { from: 'user' });
  expect(said).toEqual(['pause\tbegins no further node\n:4\n', '--all\tevery UpdatePolicy\n:4\n']);
});
