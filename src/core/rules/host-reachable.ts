import { pass, type Rule } from './rule.ts';

/** Holds a node whose agent does not reach its host: it would be drained for nothing. The agent says so itself, and when it is over. */
export const hostReachable: Rule = ({ node }) => {
  const trouble = node.host?.status.refreshError;
  return trouble?.code === 'HostUnreachable'
    ? { reason: 'HostUnreachable', message: `waits until the agent reaches its host: ${trouble.message}` }
    : pass;
};
