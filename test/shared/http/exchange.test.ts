import http from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import type { OutboundRequest } from '../../../functions/shared/world.ts';
import { startRawReceiver } from '../../support/raw-receiver.ts';
import { useSentRequests } from '../../support/sent-requests.ts';
import { useStillTime } from '../../support/still-time.ts';
import { until } from '../../support/until.ts';

const body = new TextEncoder().encode('{"ключ":"значение"}');
const sender = openGuardedSender({ egress: 'loopback' });

useStillTime();
const requests = useSentRequests();

const DEADLINE_MS = 5_000;
const post = (url: string, more: Partial<OutboundRequest> = {}) =>
  sender.post({ url, headers: {}, body, timeoutMs: DEADLINE_MS, ...more });

/** Sends, and lets all of its time pass once so many bytes of the answer have been read. */
async function postUntilDeadline(url: string, answerBytes: number) {
  const sent = post(url);
  await until(
    () => requests[0]?.socket?.bytesRead ?? 0,
    (bytes) => bytes >= answerBytes,
  );
  vi.advanceTimersByTime(DEADLINE_MS);
  return sent;
}

/** Writes the head, then the text as fast as the other side takes it, until that goes away. */
function flood(socket: Socket, head: string, text: string): void {
  socket.write(head);
  const chunk = Buffer.from(text.repeat(64));
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

/** Writes the head, then one byte of the text every 20 ms. */
function drip(socket: Socket, head: string, text: string): void {
  socket.write(head);
  let index = 0;
  const timer = setInterval(() => socket.write(text[index++ % text.length] ?? ''), 20);
  socket.on('close', () => clearInterval(timer));
}

const reset = (socket: Socket) => socket.resetAndDestroy();

describe('once a status line has come, it decides', () => {
  const ok = 'HTTP/1.1 200 OK\r\n';

  it.each<[string, number, (socket: Socket) => void]>([
    ['an empty answer', 204, (it) => it.write('HTTP/1.1 204 No Content\r\n\r\n')],
    ['an answer without a reason', 299, (it) => it.end('HTTP/1.1 299\r\n\r\n')],
    ['HTTP/1.0', 200, (it) => it.end('HTTP/1.0 200 OK\r\n\r\nok')],
    ['a length', 200, (it) => it.write(`${ok}content-length: 2\r\n\r\nok`)],
    [
      'chunks',
      200,
      (it) => it.write(`${ok}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`),
    ],
    ['interim answers first', 200, (it) => it.end(`${interim}${interim}${ok}\r\n`)],
    [
      'a reset after the head',
      200,
      (it) => it.write(`${ok}content-length: 9\r\n\r\n`, () => reset(it)),
    ],
    [
      'a reset within the body',
      200,
      (it) => it.write(`${ok}content-length: 9\r\n\r\nok`, () => reset(it)),
    ],
    ['an end within the body', 200, (it) => it.end(`${ok}content-length: 9\r\n\r\nok`)],
    ['a reset within the headers', 200, (it) => it.write(`${ok}a: b\r\n`, () => reset(it))],
    ['an end after the status line', 500, (it) => it.end('HTTP/1.1 500 No\r\n')],
    ['a header that is none', 200, (it) => it.end(`${ok}not a header\r\n\r\n`)],
    ['a bad chunk', 200, (it) => it.end(`${ok}transfer-encoding: chunked\r\n\r\nzz\r\n`)],
    ['an endless body', 200, (it) => flood(it, `${ok}\r\n`, 'endless')],
    [
      'an endless chunk',
      200,
      (it) => flood(it, `${ok}transfer-encoding: chunked\r\n\r\n`, 'f\r\nendless endless\r\n'),
    ],
    [
      'another protocol',
      101,
      (it) => it.write('HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nx'),
    ],
    ['gone', 410, (it) => it.end('HTTP/1.1 410 Gone\r\n\r\n')],
    ['too many requests', 429, (it) => it.end('HTTP/1.1 429 X\r\nretry-after: 3\r\n\r\n')],
    ['a fault', 503, (it) => it.end('HTTP/1.1 503 X\r\n\r\n')],
  ])('with %s: %i', async (_what, status, answer) => {
    const receiver = await startRawReceiver(answer);
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status });
    expect(receiver.requests()).toBe(1);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['a body that never begins', (it) => it.write(`${ok}content-length: 9\r\n\r\n`)],
    ['a body of single bytes', (it) => drip(it, `${ok}\r\n`, 'x')],
    ['headers that never end', (it) => it.write(`${ok}a: b\r\n`)],
    ['headers of single bytes', (it) => drip(it, ok, 'a: b\r\n')],
  ])('at the deadline, with %s', async (_what, answer) => {
    const receiver = await startRawReceiver(answer);
    const sent = await postUntilDeadline(receiver.url, ok.length);
    expect(sent).toMatchObject({ kind: 'answered', status: 200, ms: DEADLINE_MS });
  });
});

const interim = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n';

describe('without a status line the outcome is unknown', () => {
  it.each<[string, string, (socket: Socket) => void]>([
    ['a reset', 'reset', reset],
    ['an end', 'reset', (it) => it.end()],
    ['half a status line', 'reset', (it) => it.end('HTTP/1.1 200')],
    ['only an interim answer', 'reset', (it) => it.end(interim)],
    ['an answer that is not HTTP', 'reset', (it) => it.end('SSH-2.0-OpenSSH_9.9\r\n')],
    ['the status line of another protocol', 'reset', (it) => it.end('ICY 200 OK\r\n\r\n')],
    ['a body without a head', 'reset', (it) => it.end('<html>hello</html>')],
    ['HTTP/2 in the clear', 'reset', (it) => it.end('HTTP/2.0 200 OK\r\n\r\n')],
    ['HTTP/0.9 with a head', 'reset', (it) => it.end('HTTP/0.9 200 OK\r\n\r\n')],
    ['the status 000', 'reset', (it) => it.end('HTTP/1.1 000 X\r\n\r\n')],
    ['the status 099', 'reset', (it) => it.end('HTTP/1.1 099 X\r\n\r\n')],
    ['endless interim answers', 'too_many_headers', (it) => flood(it, '', interim)],
  ])('after %s: %s', async (_what, error, answer) => {
    const receiver = await startRawReceiver(answer);
    expect(await post(receiver.url)).toMatchObject({ kind: 'unknown', error });
    expect(receiver.requests()).toBe(1);
  });

  it('at the deadline, after silence', async () => {
    const receiver = await startRawReceiver(() => {});
    const sent = post(receiver.url);
    await until(receiver.requests, (requests) => requests === 1);
    vi.advanceTimersByTime(DEADLINE_MS);
    expect(await sent).toMatchObject({ kind: 'unknown', error: 'timeout', ms: DEADLINE_MS });
  });

  it('at the deadline, after a status line of single bytes', async () => {
    const receiver = await startRawReceiver((it) => drip(it, 'H', 'TTP/1.1 200 OK'));
    const sent = await postUntilDeadline(receiver.url, 5);
    expect(sent).toMatchObject({ kind: 'unknown', error: 'timeout', ms: DEADLINE_MS });
  });
});

it.each<[number, string, (socket: Socket) => void]>([
  [200, '20 KB of headers', (it) => it.write(headers(20))],
  [200, 'endless headers', (it) => flood(it, headers(1), 'a: b\r\n')],
  [500, '20 KB of headers', (it) => it.write(headers(20, 500))],
  [302, 'endless headers', (it) => flood(it, headers(1, 302), 'a: b\r\n')],
  [404, 'one endless header', (it) => flood(it, `${headers(1, 404)}a: `, 'b'.repeat(999))],
])('a %d is one also with %s', async (status, _what, answer) => {
  const receiver = await startRawReceiver(answer);
  expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status });
  expect(receiver.requests()).toBe(1);
});

function headers(kib: number, status = 200): string {
  return `HTTP/1.1 ${status} OK\r\n${`a: ${'b'.repeat(59)}\r\n`.repeat(16 * kib)}`;
}

describe('when nothing can have gone out, it failed', () => {
  it('for a port where nobody listens', async () => {
    const receiver = await startRawReceiver(() => {});
    receiver.stopListening();
    expect(await post(receiver.url)).toMatchObject({ kind: 'failed', error: 'refused' });
  });

  it('for one whom the caller no longer wants, asked when the connection stands', async () => {
    const receiver = await startRawReceiver(() => {});
    const asked: number[] = [];
    const stillWanted = () => {
      asked.push(receiver.connections());
      return false;
    };
    const sent = await post(receiver.url, { stillWanted });
    expect(sent.kind).toBe('abandoned');
    expect(asked).toHaveLength(1);
    await until(receiver.connections, (connections) => connections === 1);
    expect(receiver.requests()).toBe(0);
  });

  it('for a header that cannot be sent, which is the fault of the caller', async () => {
    const receiver = await startRawReceiver(() => {});
    const sent = post(receiver.url, { headers: { a: 'secret\r\nb: c' } });
    const fault = await sent.catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(TypeError);
    expect((fault as Error).stack).not.toContain('secret');
    expect(receiver.connections()).toBe(0);
  });
});

describe('an answer', () => {
  it('comes from IPv6 as well', async () => {
    const receiver = await startRawReceiver((it) => it.end('HTTP/1.1 204 X\r\n\r\n'), '::1');
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status: 204 });
  });

  it('is not followed when it redirects', async () => {
    const canary = await startRawReceiver((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    for (const status of [301, 302, 303, 307, 308]) {
      const head = `HTTP/1.1 ${status} X\r\nlocation: ${canary.url}\r\n\r\n`;
      const receiver = await startRawReceiver((socket) => socket.end(head));
      const sent = await post(receiver.url);
      expect(sent).toMatchObject({ kind: 'answered', status, headers: { location: canary.url } });
    }
    expect(canary.connections()).toBe(0);
  });

  it('is not decompressed, and read only in part', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1_024 * 1_024));
    const fields = ['content-encoding: gzip', `content-length: ${bomb.length}`];
    const receiver = await startRawReceiver((socket) => {
      socket.write(['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n'));
      socket.write(bomb);
    });
    const sent = await post(receiver.url);
    expect(sent).toMatchObject({ kind: 'answered', status: 200 });
    expect('sample' in sent && Buffer.from(sent.sample)).toEqual(bomb.subarray(0, 1_024));
  });

  it.each([0, 1, 1_023, 1_024])('of %i bytes is sampled whole', async (length) => {
    const long = 'x'.repeat(length);
    const receiver = await startRawReceiver((socket) =>
      socket.end(`HTTP/1.1 500 X\r\n\r\n${long}`),
    );
    const sent = await post(receiver.url);
    expect('sample' in sent && Buffer.from(sent.sample).toString()).toBe(long);
  });

  it('shows its headers in lower case, several of one name as one', async () => {
    const head = 'HTTP/1.1 429 X\r\nRetry-After: 7\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n';
    const receiver = await startRawReceiver((socket) => socket.end(head));
    const sent = await post(receiver.url);
    expect(sent).toMatchObject({ headers: { 'retry-after': '7', 'set-cookie': 'a, b' } });
  });
});

it('sends the exact bytes, the headers as given, and its own last', async () => {
  const seen: { headers: http.IncomingHttpHeaders; body: string; line: string }[] = [];
  const server = http.createServer(async (req, res) => {
    seen.push({ headers: req.headers, body: await text(req), line: `${req.method} ${req.url}` });
    res.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await post(`http://127.0.0.1:${port}/a?b=c#d`, {
    headers: {
      'webhook-id': 'evt_1',
      authorization: 'Bearer x',
      Host: 'elsewhere.test',
      'Content-Length': '1',
      'Accept-Encoding': 'gzip',
    },
  });
  server.close();

  expect(seen[0]).toMatchObject({ body: '{"ключ":"значение"}', line: 'POST /a?b=c' });
  expect(seen[0]?.headers).toMatchObject({
    'webhook-id': 'evt_1',
    authorization: 'Bearer x',
    host: `127.0.0.1:${port}`,
    'content-length': String(body.length),
    'accept-encoding': 'identity',
  });
});
