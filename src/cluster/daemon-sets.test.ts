import { expect, test } from '@jest/globals';
import { OTHER_OPERATOR_COMPONENT, OTHER_OPERATOR_LABEL } from '../api/names.ts';
import { daemonSetOf } from './daemon-sets.ts';

const own = { selector: { matchLabels: { [OTHER_OPERATOR_COMPONENT]: 'agent' } }, template: { spec: {} } };
const affinity = (key: string) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In' }] }] },
  },
});
const placed = (spec: object, image = 'registry/bottlerocket-update-operator:v0.1.5') => ({
  selector: { matchLabels: { app: 'x' } },
  template: { spec: { containers: [{ image }], ...spec } },
});
const running = { observedGeneration: 2, desiredNumberScheduled: 3, currentNumberScheduled: 3, numberMisscheduled: 0 };
const gone = { observedGeneration: 2, desiredNumberScheduled: 0, currentNumberScheduled: 0, numberMisscheduled: 0 };

test.each<[string, object, object | undefined, boolean]>([
  ["the other operator's agents", own, running, true],
  ['those that run nowhere', own, gone, false],
  ['those that are not wanted, but still run', own, { ...gone, numberMisscheduled: 1 }, true],
  ['those that are wanted, and do not run yet', own, { ...gone, desiredNumberScheduled: 1 }, true],
  ['those that nobody has looked at yet', own, undefined, true],
  ['those whose change nobody has looked at yet', own, { ...gone, observedGeneration: 1 }, true],
  ['its server', { ...own, selector: { matchLabels: { [OTHER_OPERATOR_COMPONENT]: 'apiserver' } } }, running, false],
  ["those placed by its label's affinity", placed({ affinity: affinity(OTHER_OPERATOR_LABEL) }), running, true],
  ['those placed by its label', placed({ nodeSelector: { [OTHER_OPERATOR_LABEL]: '2.0.0' } }), running, true],
  ['others that are placed by its label', placed({ nodeSelector: { [OTHER_OPERATOR_LABEL]: '2.0.0' } }, 'logs:1'), running, false],
  ['others placed by an affinity', placed({ affinity: affinity('kubernetes.io/os') }), running, false],
  ['others', placed({}), running, false],
])('%s', (_, spec, status, expected) => {
  expect(daemonSetOf({ metadata: { name: 'a', generation: 2 }, spec, status })).toEqual(expected ? { otherOperator: true } : {});
});

test('what cannot be read counts as any other', () => {
  expect(daemonSetOf({ metadata: {} })).toEqual({});
});
