import type { UpdateSettings } from '../agent/host-answers.ts';

/** What a shell script on the host is to do. Everything in it was checked to hold nothing that a shell would take for more than text. */
export type HostScript =
  /** Says what runs there, and touches nothing. */
  | { kind: 'Look'; attempt?: string }
  /** Asks the update repository for news. */
  | { kind: 'Refresh'; restore?: UpdateSettings }
  /** Downloads and writes what the host chooses, or, by settings that are put back, the version that is named. */
  | { kind: 'Stage'; bootID: string; version: string; choose?: { ignoreWaves: boolean }; restore?: UpdateSettings }
  /** Activates what is staged and reboots; or only reboots, where `proof` is absent. */
  | { kind: 'Reboot'; bootID: string; attempt: string; notAfter: number; again: boolean; proof?: string }
  /** Has no reboot follow that has not begun, and takes back an activation. */
  | { kind: 'Cancel'; attempts: readonly string[]; restore?: UpdateSettings };

/** A value that is to stand in a script would mean something to a shell. */
export class UnsafeValue extends Error {
  readonly retryable = false;

  constructor(what: string) {
    super(`${what} holds other characters than letters, digits and . : + _ -: it is put into no script`);
    this.name = 'UnsafeValue';
  }
}

const safe = (what: string, value: string): string => {
  if (!/^[A-Za-z0-9.:+_-]{1,256}$/.test(value)) throw new UnsafeValue(what);
  return value;
};

/** A name for one attempt at a reboot, as a folder on the host has it. */
export const attemptName = (order: string, attempt: number): string =>
  `${order.replaceAll(/[^A-Za-z0-9.:+_-]/g, '_').slice(0, 200)}-${attempt}`;

/** Seconds that a command of the update API may hold its lock. */
const LOCKED_SECONDS = { refresh: 180, prepare: 1_500, activate: 60 } as const;

/** Seconds after which SSM ends a script that has not. */
export function executionSeconds({ kind }: HostScript): number {
  return kind === 'Stage' ? 3_600 : 600;
}

/**
 * What all scripts begin with. The update API holds a lock from its answer until a command has ended, so the first answer other than
 * 423 is the end of it. Each report is made of lines that begin with `lockkeeper-`.
 */
const PRELUDE = `set -u
LC_ALL=C
state="\${TMPDIR:-/tmp}/lockkeeper"
boot() { cat /proc/sys/kernel/random/boot_id; }
api() { apiclient raw "$@" 2>&1; }
settle() {
  tries=0
  while :; do
    status=$(api -u /updates/status) && return 0
    case $status in
      *'Status 423'*) tries=$((tries + 1)); [ "$tries" -lt "$1" ] || return 1; sleep 1 ;;
      *) return 1 ;;
    esac
  done
}
act() { api -m POST -u "/actions/$1" >/dev/null; settle "$2"; }
line() { printf 'lockkeeper-%s: %s\\n' "$1" "$(printf '%s' "$2" | tr '\\n' ' ' | head -c 6000)"; }
tell() {
  line result "$1"
  [ -z "$attempt" ] || printf '%s' "$1" >"$attempt/result"
  line boot "$(boot)"
  line os "$(api -u /os)"
  line settings "$(api -u '/settings?prefix=updates')"
  settle "\${2:-60}"
  line status "$status"
}
status=
attempt=
`;

/** The text of a script, for a POSIX shell. */
export function scriptText(script: HostScript): string {
  switch (script.kind) {
    case 'Look':
      return `${PRELUDE}${script.attempt === undefined ? '' : `line attempt "$(cat "$state/${safe('the attempt', script.attempt)}/result" 2>/dev/null)"\n`}tell looked\n`;
    case 'Refresh':
      return `${PRELUDE}${restored(script.restore)}settle ${LOCKED_SECONDS.refresh}; line before "$status"
act refresh-updates ${LOCKED_SECONDS.refresh}
tell refreshed
`;
    case 'Stage':
      return stageText(script);
    case 'Reboot':
      return rebootText(script);
    case 'Cancel':
      return `${PRELUDE}${restored(script.restore)}begun=
mkdir -p "$state"
for one in ${script.attempts.map((name) => safe('the attempt', name)).join(' ')}; do
  mkdir "$state/$one" 2>/dev/null || begun=yes
done
settle ${LOCKED_SECONDS.prepare}; line before "$status"
case "$begun$status" in
  yes*) tell begun; exit 0 ;;
  *'"Ready"'*) act deactivate-update ${LOCKED_SECONDS.activate} ;;
esac
tell cancelled
`;
  }
}

function stageText({ bootID, version, choose, restore }: HostScript & { kind: 'Stage' }): string {
  const chosen =
    choose === undefined ? '' : `${settingsText({ versionLock: version, ...(choose.ignoreWaves && { ignoreWaves: true }) })}sleep 1\n`;
  return `${PRELUDE}[ "$(boot)" = '${safe('the boot ID', bootID)}' ] || { tell refused:BootIDChanged; exit 0; }
settle ${LOCKED_SECONDS.prepare}
case $status in *'"Ready"'*) act deactivate-update ${LOCKED_SECONDS.activate} ;; esac
${chosen}act refresh-updates ${LOCKED_SECONDS.refresh}; line refreshed "$status"
case $status in *'"${safe('the version', version)}"'*) act prepare-update ${LOCKED_SECONDS.prepare} ;; esac
${restored(restore)}tell staged ${LOCKED_SECONDS.prepare}
`;
}

/**
 * The fence on the host: only under the boot that the order was given for, only in time, and each attempt once, whoever sends it and
 * however often it is delivered; what it came to is left there to be read. Only then, and only where the update API's last command is the one that was recorded as the proof,
 * something is activated.
 */
function rebootText({ bootID, attempt, notAfter, again, proof }: HostScript & { kind: 'Reboot' }): string {
  const boot = safe('the boot ID', bootID);
  const folder = `"$state/${safe('the attempt', attempt)}"`;
  const guard = (otherwise: string): string => `[ "$(boot)" = '${boot}' ] || { ${otherwise} }
[ "$(date +%s)" -lt ${Math.floor(notAfter / 1000)} ] || { ${otherwise.replace('BootIDChanged', 'RebootFailed')} }
`;
  const activate = `act activate-update ${LOCKED_SECONDS.activate}
case $status in *'"Ready"'*) ;; *) tell refused:ActivationFailed; exit 0 ;; esac
`;
  const ready =
    proof === undefined
      ? `case $status in *'"Ready"'*) act deactivate-update ${LOCKED_SECONDS.activate} ;; esac
case $status in *'"Ready"'*) tell refused:HostRefused; exit 0 ;; esac
`
      : `case $status in
  *'"${safe("the proof's time", proof)}"'*'"Ready"'*|*'"Ready"'*'"${proof}"'*) ;;
  *'"${proof}"'*) ${activate.replaceAll('\n', '\n    ')};;
  ${again ? `*'"Ready"'*'"activate"'*|*'"activate"'*'"Ready"'*) ;;\n  ` : ''}*) tell refused:ProofLost; exit 0 ;;
esac
`;
  return `${PRELUDE}mkdir -p "$state"
mkdir ${folder} 2>/dev/null || { [ -d ${folder} ] && tell begun || tell refused:HostRefused; exit 0; }
attempt=${folder}
${guard('tell refused:BootIDChanged; exit 0;')}settle ${LOCKED_SECONDS.refresh} || case $status in *'Status 404'*) ;; *) tell refused:HostBusy; exit 0 ;; esac
${ready}${guard('act deactivate-update 60; tell refused:BootIDChanged; exit 0;')}tell asked
api -m POST -u /actions/reboot
`;
}

const restored = (settings: UpdateSettings | undefined): string => (settings === undefined ? '' : settingsText(settings));

/** In a transaction of our own, which is dropped first: what lies in it from before would be committed along. */
function settingsText({ versionLock, ignoreWaves }: UpdateSettings): string {
  const body = JSON.stringify({
    updates: {
      ...(versionLock !== undefined && { 'version-lock': safe('the version', versionLock) }),
      ...(ignoreWaves !== undefined && { 'ignore-waves': ignoreWaves }),
    },
  });
  return `api -m DELETE -u '/tx?tx=lockkeeper' >/dev/null
api -m PATCH -u '/settings?tx=lockkeeper' -d '${body}' >/dev/null
api -m POST -u '/tx/commit_and_apply?tx=lockkeeper' >/dev/null
`;
}
