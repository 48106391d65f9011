import { once } from 'node:events';
import net from 'node:net';
import { onTestFinished } from 'vitest';

export interface RawReceiver {
  readonly port: number;
  readonly url: string;
  /** How many connections it has taken. */
  connections(): number;
  /** How many requests have arrived in full, with a body or without. */
  requests(): number;
  /** Takes no more connections; those that it has stay. */
  stopListening(): void;
}

/**
 * A receiver that speaks no protocol of its own: `onRequest` gets the bare socket whenever a
 * request has arrived. It ends with its test.
 */
export async function startRawReceiver(
  onRequest: (socket: net.Socket, nth: number) => void,
  host = '127.0.0.1',
): Promise<RawReceiver> {
  const sockets = new Set<net.Socket>();
  let connections = 0;
  let requests = 0;
  const server = net.createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    let seen = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      seen = Buffer.concat([seen, chunk]);
      const length = requestLength(seen);
      if (length === undefined || seen.length < length) return;
      seen = seen.subarray(length);
      requests += 1;
      onRequest(socket, requests);
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as net.AddressInfo;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/hook`;
  return {
    port,
    url,
    connections: () => connections,
    requests: () => requests,
    stopListening: () => server.close(),
  };
}

/** The bytes of the first request, as soon as its head is there. */
function requestLength(seen: Buffer): number | undefined {
  const headEnd = seen.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = seen.subarray(0, headEnd).toString('latin1');
  const length = /content-length: (\d+)/i.exec(head)?.[1] ?? '0';
  return headEnd + 4 + Number(length);
}
