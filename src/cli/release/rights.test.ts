import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { releaseRights } from './rights.ts';

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

/** The rules of a Role or ClusterRole of the chart, with all that values may add. */
async function rulesOf(template: string, kind: string, name: string): Promise<Rule[]> {
  const text = await readFile(new URL(`../../../charts/lockkeeper/templates/${template}`, import.meta.url), 'utf8');
  const plain = text.replaceAll(/^\s*\{\{.*\}\}\s*$/gm, '').replaceAll(/\{\{.*?\}\}/g, 'x');
  const objects = parseAllDocuments(plain).map(
    (each) => each.toJS() as { kind?: string; metadata?: { name: string }; rules?: Rule[] } | null,
  );
  return objects.find((object) => object?.kind === kind && object.metadata?.name === name)?.rules ?? [];
}

const said = (rules: readonly Rule[], namespace = ''): string[] =>
  rules.flatMap(({ apiGroups, resources, verbs, resourceNames = [''] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          resourceNames.map((name) => [verb, group === '' ? resource : `${resource}.${group}`, name, namespace].join(' ')),
        ),
      ),
    ),
  );

test("a release asks for the rights of the chart's pre-delete hook, and no others", async () => {
  const scope = { namespace: 'lockkeeper', leaseName: 'lockkeeper', hookNamespaces: ['db'], nodeConditions: true };
  const asked = releaseRights({ ...scope, readOnly: false }).map(({ verb, resource, name = '', namespace = '' }) =>
    [verb, resource, name, namespace].join(' '),
  );
  const given = [
    ...said(await rulesOf('release.yaml', 'ClusterRole', 'lockkeeper-release')),
    ...said(await rulesOf('controller-rbac.yaml', 'Role', 'lockkeeper-controller'), 'lockkeeper'),
    ...said(await rulesOf('hooks-rbac.yaml', 'Role', 'lockkeeper-hooks'), 'db'),
  ];
  expect(given.length).toBeGreaterThan(30);
  expect(asked.sort()).toEqual(given.sort());
  expect(releaseRights({ ...scope, readOnly: true }).filter(({ verb }) => !['get', 'list', 'watch'].includes(verb))).toEqual([]);
});
