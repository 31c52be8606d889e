import type { LabelSelector } from '../api/label-selector.ts';

/** Whether labels satisfy a label selector, as Kubernetes evaluates it; an empty selector matches everything. */
export function matches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const { matchLabels, matchExpressions } = selector;
  for (const key in matchLabels) if (labels[key] !== matchLabels[key]) return false;
  return matchExpressions === undefined || matchExpressions.every((requirement) => holds(requirement, labels));
}

/** Whether a selector names a label key at all. */
export function namesKey(selector: LabelSelector, key: string): boolean {
  return key in (selector.matchLabels ?? {}) || (selector.matchExpressions ?? []).some((requirement) => requirement.key === key);
}

type Requirement = NonNullable<LabelSelector['matchExpressions']>[number];

function holds({ key, operator, values = [] }: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
