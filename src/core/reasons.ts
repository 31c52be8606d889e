/**
 * Every reason that a node or a policy can show, with what it means to the person who reads it.
 * The names are API: they are shown in status, events and metrics.
 */
export const REASONS = {
  UpToDate: 'The node runs its target, or there is nothing newer that its policy wants.',
  NoPolicy: 'No policy selects the node.',
  PolicyNotReady: "The policy's spec or annotations cannot be read; the policy counts as closed.",
  InvalidAnnotation: 'An annotation that steers the node has a value that cannot be read.',
  AdmissionPolicyMissing: 'The ValidatingAdmissionPolicy that limits the agents, or its binding, is missing: no order is given.',
  AgentMissing: 'No agent answers on the node.',
  AgentOutdated: 'The agent does not know the order that it was given.',
  AwaitingReport: 'The agent has not reported the host yet.',
  NotOffered: 'The wanted version has not been offered to enough nodes yet.',
  DowngradeNotAllowed: 'The pinned version is older than the one that runs, and the policy does not allow downgrades.',
  Paused: 'The node or its policy is paused.',
  ManagedByOther: "The OS's existing operator manages the node.",
  CordonedByOther: 'Somebody else has cordoned the node.',
  BeingDeleted: 'The node is being deleted, by an administrator or an autoscaler.',
  KnownBad: 'The target failed on this machine before; it is not tried again by itself.',
  AwaitingStagingSlot: 'Other nodes are downloading.',
  Staging: 'The host is downloading the target.',
  StagingFailed: 'The download failed; it is tried again.',
  InExclusion: 'The policy has an exclusion in force: a time in which no node is begun.',
  OutsideWindow: "None of the policy's windows is open.",
  AwaitingApproval: 'The policy asks for an approval of the version.',
  Halted: 'The rollout is halted: too many nodes failed.',
  AwaitingGroup: 'An earlier group of the policy is not finished yet.',
  GroupSoaking: 'An earlier group is finished and soaks.',
  GroupUntested: 'An earlier group has ended without any node updated: a person must look at it, or skip it.',
  AwaitingZone: 'Another zone goes first.',
  LeaderLast: "The controller's own node goes last.",
  HandingOver: 'Another controller replica takes over first.',
  CapacityReached: 'As many nodes as the policy allows are unavailable.',
  Preflight: "The node's pods are being looked at.",
  CannotEvict: 'Pods on the node may not be evicted as things stand.',
  Claimed: 'The node holds a slot and is about to be cordoned.',
  LoadBalancerDelay: 'The node is cordoned and taken from load balancers, which get time to notice before its pods are evicted.',
  Draining: 'Pods are leaving the node.',
  DrainTimeout: 'The drain took too long; the node was given back and is tried again.',
  RebootOrdered: 'The agent has been asked to activate the target and reboot.',
  RebootAsked: 'The host has been asked to reboot.',
  RebootNotStarted: 'The agent did not begin the reboot in time; the node was given back and is tried again.',
  RebootTimeout: 'The host was asked to reboot, and its kubelet has not reported another boot in time.',
  ActivationFailed: 'The host refused to activate the target.',
  ProofLost: 'What is staged on the host is no longer proven; it is staged again.',
  ForeignReboot: 'Somebody else rebooted the node.',
  Verifying: 'The node has rebooted and is being checked.',
  VerificationTimeout: 'The node came back, but did not get ready in time.',
  RolledBackByHost: 'The host came back with another version than the target.',
  TakingBack: 'The node is being given back.',
  TakenBack: 'The node was given back before its reboot.',
  UncordonedByHand: 'A person uncordoned the failed node.',
  RecordUnreadable: 'The record on the node cannot be read.',
} as const;

export type Reason = keyof typeof REASONS;

/** The reason that a text from a status names, if it is one of ours. */
export const asReason = (text: string | undefined): Reason | undefined =>
  text !== undefined && text in REASONS ? (text as Reason) : undefined;
