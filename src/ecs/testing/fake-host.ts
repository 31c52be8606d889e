const ARCH = 'x86_64';
const VARIANT = 'aws-ecs-2';
const BOOT_MS = 40_000;

/** A host as the controller's scripts see it: what each of them comes to, without a shell. */
export class FakeHost {
  version = '1.26.0';
  reboots = 0;
  /** Until when it is down, in milliseconds since the epoch. */
  downUntil = 0;
  readonly #offered: string;
  readonly #attempts = new Map<string, string>();
  #staged: string | undefined;
  #active = false;
  #command: { type: string; timestamp: string } | undefined;
  #commands = 0;

  constructor(offered: string) {
    this.#offered = offered;
  }

  get bootID(): string {
    return `boot-${this.reboots + 1}`;
  }

  /** Runs a script; undefined where the host goes down by it. */
  run(script: string, now: number): string | undefined {
    const [, attempt] = /^attempt="\$state\/([^"]+)"$/m.exec(script) ?? [];
    if (attempt !== undefined) return this.#reboot(script, attempt, now);
    const [, cancelled] = /^for one in (.*); do$/m.exec(script) ?? [];
    if (cancelled !== undefined) return this.#cancel(cancelled.split(' '));
    if (script.includes('act prepare-update')) return this.#stage(script);
    const [, looked = ''] = /^line attempt "\$\(cat "\$state\/([^"/]+)\/result"/m.exec(script) ?? [];
    if (!script.includes('tell refreshed')) return this.#report('looked', { attempt: this.#attempts.get(looked) ?? '' });
    const before = this.#status();
    this.#act('refresh');
    return this.#report('refreshed', { before });
  }

  #stage(script: string): string {
    const [, boot] = /\[ "\$\(boot\)" = '([^']+)' \]/.exec(script) ?? [];
    if (boot !== this.bootID) return this.#report('refused:BootIDChanged');
    this.#active = false;
    this.#act('refresh');
    const refreshed = this.#status();
    this.#staged = this.#offered;
    this.#act('prepare');
    return this.#report('staged', { refreshed });
  }

  #reboot(script: string, attempt: string, now: number): string | undefined {
    const [, boot] = /\[ "\$\(boot\)" = '([^']+)' \]/.exec(script) ?? [];
    const [, notAfter = '0'] = /-lt (\d+) \]/.exec(script.slice(script.indexOf('date +%s'))) ?? [];
    const [, proof] = /'"([^"']+)"'\*'"Ready"'/.exec(script) ?? [];
    if (this.#attempts.has(attempt)) return this.#report('begun');
    const result = this.#refusal(boot, Number(notAfter) * 1000 <= now, proof) ?? 'asked';
    this.#attempts.set(attempt, result);
    if (result !== 'asked') return this.#report(result);
    this.#attempts.clear();
    this.reboots += 1;
    this.downUntil = now + BOOT_MS;
    this.version = this.#staged ?? this.version;
    this.#staged = undefined;
    this.#command = undefined;
    return undefined;
  }

  #refusal(boot: string | undefined, late: boolean, proof: string | undefined): string | undefined {
    if (boot !== this.bootID) return 'refused:BootIDChanged';
    if (late) return 'refused:RebootFailed';
    return proof === undefined || proof !== this.#command?.timestamp ? 'refused:ProofLost' : undefined;
  }

  #cancel(attempts: readonly string[]): string {
    for (const one of attempts) this.#attempts.set(one, this.#attempts.get(one) ?? '');
    return this.#report('cancelled', { before: this.#status() });
  }

  #act(type: string): void {
    this.#commands += 1;
    this.#command = { type, timestamp: `2026-11-23T11:00:00.${String(this.#commands).padStart(9, '0')}Z` };
  }

  #status(): string {
    if (this.#command === undefined) return 'Failed GET request: Status 404';
    const image = (version: string) => ({ version, variant: VARIANT, arch: ARCH });
    const isNews = this.#offered !== this.version;
    return JSON.stringify({
      update_state: this.#staged === undefined ? (isNews ? 'Available' : 'Idle') : this.#active ? 'Ready' : 'Staged',
      available_updates: [this.#offered],
      chosen_update: isNews ? image(this.#offered) : null,
      active_partition: { image: image(this.version), next_to_boot: !this.#active },
      staging_partition: this.#staged === undefined ? null : { image: image(this.#staged), next_to_boot: this.#active },
      most_recent_command: {
        cmd_type: this.#command.type,
        cmd_status: 'Success',
        timestamp: this.#command.timestamp,
        exit_status: 0,
        stderr: this.#command.type === 'prepare' ? `Starting update to ${this.#staged}\n` : '',
      },
    });
  }

  #report(result: string, more: Readonly<Record<string, string>> = {}): string {
    const lines = {
      result,
      boot: this.bootID,
      os: JSON.stringify({ version_id: this.version, variant_id: VARIANT, arch: ARCH }),
      settings: JSON.stringify({ updates: { 'version-lock': 'latest', 'ignore-waves': false } }),
      status: this.#status(),
      ...more,
    };
    return Object.entries(lines)
      .map(([name, text]) => `lockkeeper-${name}: ${text}\n`)
      .join('');
  }
}
