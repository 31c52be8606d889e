import type { RealMachine } from '../machine.ts';

/** Run on the machine: wakes the process's inspector, and has the process allocate until there is no more. */
const script = `
const pid = Number(process.argv[1]);
process.kill(pid, 'SIGUSR1');
const targets = async () => {
  for (;;) {
    try {
      return await (await fetch('http://127.0.0.1:9229/json/list')).json();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
};
const [{ webSocketDebuggerUrl }] = await targets();
const socket = new WebSocket(webSocketDebuggerUrl);
const expression = 'for (const hoard = []; ; ) hoard.push(Buffer.alloc(4 * 1024 * 1024, 1))';
socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
socket.onclose = () => process.exit(0);
socket.onmessage = ({ data }) => process.exit(console.log(data) ?? 1);
`;

/**
 * Has the agent of a node use more memory than its container may, so that the kernel kills it: it is the agent's own process
 * that allocates, by its inspector, and the limit is the chart's. Settles when that process is gone.
 * @throws CommandError where there is no agent, or it survives
 */
export async function exhaustAgentMemory(machine: RealMachine): Promise<void> {
  const pid = (await machine.run('pgrep', '--full', '/app/lockkeeper-agent.js')).trim();
  await machine.run(process.execPath, '--input-type=module', '--eval', script, pid);
}
