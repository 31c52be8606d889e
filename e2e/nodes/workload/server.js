// A web server to update nodes under. Says which pod answered; what it does when it is told to end is set by its environment.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const { PORT = '8080', DRAIN_SECONDS = '0', IGNORE_SIGTERM = '' } = process.env;

const server = createServer((_request, response) => {
  response.end(`${hostname()}\n`);
});
server.listen(Number(PORT), () => console.log(`listens on ${PORT}`));

process.on('SIGTERM', () => {
  console.log('SIGTERM');
  if (IGNORE_SIGTERM !== '') return;
  setTimeout(() => {
    server.close(() => {
      console.log('ends');
      process.exit(0);
    });
    server.closeIdleConnections();
  }, Number(DRAIN_SECONDS) * 1000);
});
