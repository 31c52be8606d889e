import { KubeClient, type KubeClientOptions } from '../client.ts';
import type { Credentials } from '../credentials.ts';
import type { Logger } from '../logger.ts';
import type { FakeApiServer } from './fake-api-server.ts';

/** Credentials for a fake server; `token` may be changed, `refreshed` counts the calls. */
export interface TestCredentials extends Credentials {
  token: string | undefined;
  refreshed: number;
  onRefresh: () => void;
}

export function testCredentials(server: URL): TestCredentials {
  return {
    server,
    token: undefined,
    refreshed: 0,
    onRefresh() {},
    async tls() {
      return {};
    },
    async authorization() {
      return this.token;
    },
    refresh() {
      this.refreshed += 1;
      this.onRefresh();
    },
  };
}

export function testClient(server: FakeApiServer, options: Partial<KubeClientOptions> = {}): KubeClient {
  return new KubeClient({ credentials: testCredentials(server.url), userAgent: 'test', ...options });
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: object;
}

/** Keeps what it is told. */
export function recordingLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine['level']) =>
    (fields: object, message: string): void => {
      lines.push({ level, message, fields });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
