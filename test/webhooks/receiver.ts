import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished, vi } from 'vitest';

/** A webhook as a receiver got it. */
export interface Got {
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** What the receiver does with the nth request, counted from 1. */
export type Behaviour = (nth: number) => Reply;

export type Reply =
  | number
  | 'hang'
  | 'reset'
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };

export interface Receiver {
  readonly url: string;
  readonly got: Got[];
  /** Cuts all connections. */
  cut(): void;
}

/** Does not answer, while so much time passes for who waits. */
export function hangFor(ms: number): Reply {
  setImmediate(() => vi.advanceTimersByTime(ms));
  return 'hang';
}

/** A receiver on this machine that ends with its test. */
export async function startReceiver(behaviour: Behaviour = () => 200): Promise<Receiver> {
  const got: Got[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    got.push({ headers: request.headers, body: Buffer.concat(chunks) });
    answer(behaviour(got.length), request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook`, got, cut: () => server.closeAllConnections() };
}

function answer(reply: Reply, request: IncomingMessage, response: ServerResponse): void {
  if (reply === 'hang') return;
  if (reply === 'reset') {
    request.socket.resetAndDestroy();
    return;
  }
  const { status, headers = {}, body = '' } = typeof reply === 'number' ? { status: reply } : reply;
  response.writeHead(status, headers).end(body);
}
