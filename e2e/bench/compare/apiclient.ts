// Stands for the host's own `apiclient`, as far as agents call it: `apiclient raw -u URI [-m METHOD] [-d DATA]`, and `apiclient reboot`.
import { request } from 'node:http';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'socket-path': { type: 'string', short: 's', default: '/run/api.sock' },
    uri: { type: 'string', short: 'u' },
    method: { type: 'string', short: 'm', default: 'GET' },
    data: { type: 'string', short: 'd' },
    verbose: { type: 'boolean', short: 'v', default: false },
  },
});

const [verb] = positionals;
if (verb === 'reboot') send('POST', '/actions/reboot');
else if (verb === 'raw' && values.uri !== undefined) send(values.method.toUpperCase(), values.uri, values.data);
else refuse(`apiclient: this stand-in knows 'raw -u URI' and 'reboot' only, not '${positionals.join(' ')}'`);

function send(method: string, path: string, data?: string): void {
  const headers = data === undefined ? {} : { 'content-type': 'application/json' };
  const call = request({ socketPath: values['socket-path'], method, path, headers, timeout: 60_000 }, (response) => {
    response.setEncoding('utf8');
    response.toArray().then(
      (chunks) => {
        const body = chunks.join('');
        const { statusCode = 0 } = response;
        // Agents find the code in these words.
        if (statusCode >= 300) refuse(`Failed ${method} request to '${path}': Status ${statusCode} when ${method}ing ${path}: ${body}`);
        else if (body !== '') process.stdout.write(`${body}\n`);
      },
      (error: Error) => refuse(`Failed ${method} request to '${path}': ${error.message}`),
    );
  });
  call.once('timeout', () => call.destroy(new Error('no answer within 60 s')));
  call.once('error', (error) => refuse(`Failed ${method} request to '${path}': ${error.message}`));
  call.end(data);
}

function refuse(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
