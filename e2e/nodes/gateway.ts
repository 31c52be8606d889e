import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { bridge, gatewayAddress, nodesPrefix } from './addresses.ts';

/*
 * Runs in the network that it is started in, which holds the bed's bridge, and lets its own user in from outside: a
 * connection to its Unix socket begins with `ADDRESS PORT`, is answered with `ok` or the reason why not, and then leads there.
 */
const [socketPath = ''] = process.argv.slice(2);

const longestRequest = 100;
const dialTimeoutMs = 5000;

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'inherit', 'inherit'] });
}

function serve(from: Socket): void {
  from.on('error', () => from.destroy());
  let asked = '';
  const read = (chunk: Buffer) => {
    asked += chunk.toString('latin1');
    const end = asked.indexOf('\n');
    if (end < 0 && asked.length < longestRequest) return;
    from.off('data', read);
    from.pause();
    const [address = '', port = ''] = asked.slice(0, Math.max(end, 0)).split(' ');
    lead(from, address, Number(port));
  };
  from.on('data', read);
}

function lead(from: Socket, address: string, port: number): void {
  const to = connect({ host: address, port, allowHalfOpen: true });
  const tooLate = () => to.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
  to.setTimeout(dialTimeoutMs, tooLate);
  const refuse = (error: NodeJS.ErrnoException) => from.end(`${error.code ?? 'refused'}\n`);
  to.once('error', refuse);
  to.once('connect', () => {
    to.off('error', refuse);
    to.off('timeout', tooLate);
    to.setTimeout(0);
    to.on('error', () => from.destroy());
    from.once('close', () => to.destroy());
    from.write('ok\n');
    from.pipe(to).pipe(from);
  });
}

ip('link', 'set', 'lo', 'up');
ip('link', 'add', bridge, 'type', 'bridge');
ip('addr', 'add', `${gatewayAddress}/${nodesPrefix}`, 'dev', bridge);
ip('link', 'set', bridge, 'up');
// From one machine's pods to another's, and from out here to any.
writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
createServer({ allowHalfOpen: true }, serve).listen(socketPath);
