import { BY_HAND } from '../api/names.ts';

const COMMAND =
  /kubectl annotate (updatepolicy|nodeupdate) (\S+) (?:--overwrite )?(lockkeeper\.dev\/[a-z-]+?)(?:(-)(?![a-z])|=(\$\(date \+%s\)|[\w.+-]*[\w]))/g;

/**
 * Text that a status, a condition or a plan holds, for somebody who has this program: commands to annotate are those of the program. What
 * stays in the cluster is written for kubectl alone, which everybody has (ADR 30). One without a counterpart stays as it is, as do those on
 * a Node, which this program never writes.
 */
export const withVerbs = (text: string): string =>
  text.replaceAll(COMMAND, (command: string, kind: string, name: string, annotation: string, gone?: string, value?: string) => {
    const verb = verbOf(annotation, gone === undefined ? value : undefined);
    if (verb === undefined) return command;
    // Of these a policy and a node may have the same name.
    return `kubectl lockkeeper ${verb} ${kind === 'nodeupdate' ? 'node/' : ''}${name}`;
  });

/** What sets an annotation to a value, or without one removes it. */
function verbOf(annotation: string, value: string | undefined): string | undefined {
  switch (annotation) {
    case BY_HAND.paused:
      return value === undefined ? 'resume' : value === 'true' ? 'pause' : undefined;
    case BY_HAND.pinVersion:
      return value === undefined ? 'unpin' : `pin ${value}`;
    case BY_HAND.approvedVersion:
      return value === undefined ? 'unapprove' : `approve ${value}`;
    case BY_HAND.urgent:
      return value === undefined ? 'unapprove' : `approve ${value} --now`;
    case BY_HAND.retry:
    case BY_HAND.skip:
    case BY_HAND.resume:
    case BY_HAND.reboot:
    case BY_HAND.clearBadRelease:
      return value === undefined ? undefined : annotation.slice(annotation.indexOf('/') + 1);
    default:
      return undefined;
  }
}
