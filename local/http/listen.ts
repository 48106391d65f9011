import type { Server } from 'node:http';
import { hasCode } from '../failure.ts';

export const LOOPBACK = '127.0.0.1';

/** As the load balancers of AWS: a client that keeps its connections is not cut off in between. */
const KEEP_ALIVE_MS = 65_000;
/**
 * So much longer than it says. A client that takes a connection right before that time may be
 * heard late on a busy machine, and must not find it closed.
 */
const KEEP_ALIVE_BUFFER_MS = 60_000;

/** Listens on the loopback address only and answers the port. `0` takes any free port. */
export function listenExactly(server: Server, port: number): Promise<number> {
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.keepAliveTimeoutBuffer = KEEP_ALIVE_BUFFER_MS;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

/** Like `listenExactly`, but takes any free port when the wanted one is busy. */
export async function listen(server: Server, wantedPort: number): Promise<number> {
  try {
    return await listenExactly(server, wantedPort);
  } catch (error) {
    if (!hasCode(error, 'EADDRINUSE')) throw error;
    return listenExactly(server, 0);
  }
}
