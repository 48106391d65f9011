import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import { startRawReceiver } from '../../support/raw-receiver.ts';
import { useSentRequests } from '../../support/sent-requests.ts';
import { useStillTime } from '../../support/still-time.ts';

const sender = openGuardedSender({ egress: 'loopback' });
const post = (url: string) =>
  sender.post({ url, headers: {}, body: new Uint8Array([1]), timeoutMs: 10_000 });

useStillTime();
const sent = useSentRequests();

/** Writes the head, then the text as fast as the other side takes it, until that goes away. */
function flood(socket: Socket, head: string, text: string): void {
  socket.write(head, 'latin1');
  const chunk = Buffer.from(text.repeat(Math.ceil(8_192 / text.length)), 'latin1');
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

const OK = 'HTTP/1.1 200 OK\r\n';
const REFUSED = 'HTTP/1.1 500 Internal Server Error\r\n';
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
const HINT = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n';

describe('an endless answer is read for 32 KB and what came with them, not to the deadline', () => {
  it.each<[string, string, string, number]>([
    ['body', `${OK}\r\n`, 'endless', 200],
    ['body of a length', `${OK}content-length: 9007199254740991\r\n\r\n`, 'endless', 200],
    ['compressed body', `${OK}content-encoding: gzip\r\n\r\n`, '\x1f\x8b\x08\x00', 200],
    ['refusal', 'HTTP/1.1 500 No\r\n\r\n', 'endless', 500],
    ['redirect', 'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\n\r\n', 'endless', 302],
    ['row of chunks', CHUNKED, 'f\r\nendless endless\r\n', 200],
    ['row of chunks of a byte', CHUNKED, '1\r\na\r\n', 200],
    ['chunk size', CHUNKED, '0', 200],
    ['chunk extension', `${CHUNKED}1;`, 'a=b;', 200],
    ['row of trailers', `${CHUNKED}0\r\n`, 'a: b\r\n', 200],
    ['trailer', `${CHUNKED}0\r\na: `, 'b', 200],
    ['tail of garbage', `${OK}content-length: 0\r\n\r\n`, 'garbage', 200],
    ['row of headers', REFUSED, 'a: b\r\n', 500],
    ['header', `${REFUSED}a: `, 'b', 500],
    ['name of a header', REFUSED, 'b', 500],
    ['other protocol', 'HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 'x', 101],
  ])('%s', async (_what, head, text, status) => {
    const receiver = await startRawReceiver((socket) => flood(socket, head, text));
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status });
    expectLittleRead();
  });

  it.each([
    ['row of interim answers', '', HINT],
    ['interim answer', 'HTTP/1.1 100 Continue\r\n', 'a: b\r\n'],
    ['reason', 'HTTP/1.1 200 ', 'OK'],
    ['row of blank lines', '', '\r\n'],
  ])('%s, which is too many headers', async (_what, head, text) => {
    const receiver = await startRawReceiver((socket) => flood(socket, head, text));
    expect(await post(receiver.url)).toMatchObject({ kind: 'unknown', error: 'too_many_headers' });
    expectLittleRead();
  });

  it.each([
    ['text that is not HTTP', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['status', 'HTTP/1.1 2000000000000'],
    ['version', 'HTTP/1.11111111111111'],
  ])('%s, which is no answer', async (_what, text) => {
    const receiver = await startRawReceiver((socket) => flood(socket, '', text));
    expect(await post(receiver.url)).toMatchObject({ kind: 'unknown', error: 'reset' });
    expectLittleRead();
  });
});

/** Node reads up to 64 KB at a time. */
function expectLittleRead(): void {
  const read = sent.map((it) => it.socket?.bytesRead ?? 0);
  expect(read).toHaveLength(1);
  expect(read[0]).toBeLessThanOrEqual(32 * 1_024 + 2 * 65_536);
}

describe('a receiver that stops in the middle', () => {
  it.each<[string, object, (socket: Socket) => void]>([
    [
      'after its own half of the connection, with an answer',
      { kind: 'answered', status: 200 },
      (socket) => socket.end(`${OK}content-length: 2\r\n\r\nok`),
    ],
    [
      'after its own half of the connection, without one',
      { kind: 'unknown', error: 'reset' },
      (socket) => socket.end(),
    ],
    [
      'after 100 Continue',
      { kind: 'unknown', error: 'reset' },
      (socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n', () => socket.resetAndDestroy()),
    ],
    [
      'after the status line of an interim answer',
      { kind: 'unknown', error: 'reset' },
      (socket) => socket.write('HTTP/1.1 102 Processing\r\n', () => socket.resetAndDestroy()),
    ],
    [
      'after the status line that follows an interim answer',
      { kind: 'answered', status: 204 },
      (socket) => socket.write(`${HINT}HTTP/1.1 204 X\r\n`, () => socket.resetAndDestroy()),
    ],
    [
      'before the end of a 2xx status line',
      { kind: 'unknown', error: 'reset' },
      (socket) => socket.write('HTTP/1.1 200 OK', () => socket.resetAndDestroy()),
    ],
    [
      'within the head of a refusal',
      { kind: 'answered', status: 503 },
      (socket) => socket.write('HTTP/1.1 503 X\r\nretry-after: 5', () => socket.resetAndDestroy()),
    ],
  ])('%s', async (_what, outcome, answer) => {
    const receiver = await startRawReceiver(answer);
    expect(await post(receiver.url)).toMatchObject(outcome);
    expect(receiver.requests()).toBe(1);
  });
});

describe('headers of an answer', () => {
  it('cannot reach what every object has', async () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];
    const head = names.map((name) => `${name}: x\r\n`).join('');
    const receiver = await startRawReceiver((socket) => socket.end(`${OK}${head}\r\n`));
    const answer = await post(receiver.url);
    expect(answer).toMatchObject({ kind: 'answered', status: 200 });
    expect(({} as Record<string, unknown>).x).toBeUndefined();
    expect(String({})).toBe('[object Object]');
  });

  it('may be as large as 16 KB together, and not larger', async () => {
    const fits = `a: ${'b'.repeat(15_000)}\r\n`;
    const receiver = await startRawReceiver((socket, nth) =>
      socket.end(`${OK}${fits}${nth === 1 ? '' : fits}\r\n`),
    );
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status: 200 });
    // The receiver has taken it all the same.
    expect(await post(receiver.url)).toEqual(expect.objectContaining({ status: 200, headers: {} }));
  });
});
