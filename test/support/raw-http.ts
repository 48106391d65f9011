import net from 'node:net';

/** An answer as it came over the wire. */
export interface RawAnswer {
  /** 0 when the connection was closed without any. */
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** A request that `fetch` would refuse to send, or would tidy up. */
export interface RawRequest {
  readonly method?: string;
  /** What stands behind the method: a path, mostly. */
  readonly target: string;
  /** One line each: `name: value`. */
  readonly headers?: readonly string[];
  readonly body?: string | Uint8Array;
}

/** Against hanging, not against slowness. */
const PATIENCE_MS = 240_000;

/**
 * Sends the request byte for byte; length, host and `connection: close` are added to its head, and
 * the path of `url` before the target.
 */
export function sendRaw(url: string, request: RawRequest): Promise<RawAnswer> {
  const { method = 'POST', target, headers = [], body } = request;
  const { host, pathname } = new URL(url);
  const bytes = Buffer.from(body ?? '');
  const head = [
    `${method} ${pathname.replace(/\/$/, '')}${target} HTTP/1.1`,
    `host: ${host}`,
    'connection: close',
    ...(body === undefined ? [] : [`content-length: ${bytes.length}`]),
    ...headers,
  ];
  return sendBytes(url, Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes]));
}

/** Writes bytes on a socket and reads until the other side is done. */
export function sendBytes(url: string, bytes: Uint8Array): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = net.connect(Number(port), hostname, () => socket.write(bytes));
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk) => chunks.push(chunk));
    // A server that refuses early may reset the rest of a long request: its answer still counts.
    socket.on('error', (error) => (chunks.length > 0 ? undefined : reject(error)));
    socket.on('close', () => resolve(parsed(Buffer.concat(chunks))));
  });
}

function parsed(bytes: Buffer): RawAnswer {
  const end = bytes.indexOf('\r\n\r\n');
  const [first = '', ...lines] = bytes
    .subarray(0, Math.max(end, 0))
    .toString('latin1')
    .split('\r\n');
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return {
    status: Number(first.split(' ')[1] ?? 0),
    headers,
    text: bytes.subarray(end + 4).toString(),
  };
}
