// A web server to update nodes under. Says which pod answered, after `?ms=` where that is given; what it does when it is told to
// end is set by its environment. Where it ends by itself, it says so in its termination message.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const { PORT = '8080', DRAIN_SECONDS = '0', IGNORE_SIGTERM = '' } = process.env;

const server = createServer(({ url }, response) => {
  const { searchParams } = new URL(url, 'http://localhost');
  setTimeout(() => response.end(`${hostname()}\n`), Number(searchParams.get('ms') ?? 0));
});
server.listen(Number(PORT), () => console.log(`listens on ${PORT}`));

process.on('SIGTERM', () => {
  console.log('SIGTERM');
  if (IGNORE_SIGTERM !== '') return;
  setTimeout(() => {
    server.close(() => {
      console.log('ends');
      writeFileSync('/dev/termination-log', `ended by itself, ${DRAIN_SECONDS} s after it was told to`);
      process.exit(0);
    });
    server.closeIdleConnections();
  }, Number(DRAIN_SECONDS) * 1000);
});
