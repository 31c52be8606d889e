import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { ContenderError, parseContender, readContender } from './contender.ts';

const least = `
name: other
namespace: other
controllers: [{name: controller, selector: app=controller, command: [./controller]}]
`;

const refusal = (content: string): string => {
  try {
    parseContender(content, 'file.yaml');
  } catch (error) {
    if (error instanceof ContenderError) return error.message;
    throw error;
  }
  return '';
};

describe("a contender's file", () => {
  test('the least that it says', () => {
    expect(parseContender(least, 'file.yaml')).toEqual({
      name: 'other',
      caveats: [],
      namespace: 'other',
      nodes: { labels: {}, annotations: {} },
      install: { manifests: [], timeout: 120_000 },
      controllers: [{ name: 'controller', selector: 'app=controller', command: ['./controller'], env: {} }],
      agents: [],
      begin: { manifests: [], timeout: 120_000 },
    });
  });

  test.each([
    ['a field that does not exist', `${least}agent: []`, 'Unrecognized key: "agent"'],
    ['a controller without a command', 'name: a\nnamespace: a\ncontrollers: [{name: a, selector: a}]', 'controllers.0.command: '],
    ['no controller at all', 'name: a\nnamespace: a\ncontrollers: []', 'controllers: '],
    [
      'a placeholder that does not exist',
      `${least}agents: [{name: a, selector: a, command: [a, "{sockets}"]}]`,
      'agents.0.command.1: there is no placeholder {sockets}',
    ],
    [
      "a pod's placeholder in a step",
      `${least}begin: {command: [a, "{node}"]}`,
      'begin.command.1: {node} is known to the programs of pods only',
    ],
    ['a duration that is none', `${least}install: {timeout: soon}`, 'install.timeout: '],
    ['no YAML', 'a: [', 'file.yaml is no YAML: '],
    ['nothing', '', 'file.yaml is no contender:'],
  ])('%s is refused by name', (_, content, words) => {
    expect(refusal(content)).toContain(words);
  });

  test('one that is not there', async () => {
    await expect(readContender('/nowhere.yaml')).rejects.toThrow('/nowhere.yaml cannot be read');
  });

  test('all that are shipped can be read', async () => {
    const folder = fileURLToPath(new URL('contenders', import.meta.url));
    const files = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
    expect(files).not.toHaveLength(0);
    for (const file of files) await readContender(`${folder}/${file}`);
  });
});
