import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import type { GuardedSender } from '../../../functions/shared/world.ts';
import { startRawReceiver } from '../../support/raw-receiver.ts';
import { useStillTime } from '../../support/still-time.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const FORGED = 'HTTP/1.1 299 Forged\r\ncontent-length: 0\r\n\r\n';
const REFUSAL = 'HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n';

useStillTime('Date');

let sender: GuardedSender;
beforeEach(() => {
  sender = openGuardedSender({ egress: 'loopback' });
});

/** The clock has moved on, and nothing has been read since. */
const freeze = (ms: number) => vi.setSystemTime(Date.now() + ms);

const post = (url: string, body = new Uint8Array([1])) =>
  sender.post({ url, headers: {}, body, timeoutMs: 5_000, repeatHeaders: { again: '1' } });

/** Answers the first request as told, and refuses the second, on a connection of its own or not. */
async function startForger(answer: (socket: Socket) => void) {
  let kept: Socket | undefined;
  const receiver = await startRawReceiver((socket, nth) => {
    if (nth === 1) {
      kept = socket;
      answer(socket);
    } else socket.write(REFUSAL);
  });
  return { ...receiver, kept: () => kept };
}

describe('what follows an answer on its connection is never the next answer', () => {
  it.each([
    ['in the same segment', `${OK}${FORGED}`],
    ['after a body that may not be there', `HTTP/1.1 204 X\r\ncontent-length: 42\r\n\r\n${FORGED}`],
    [
      'after the last chunk',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${FORGED}`,
    ],
    ['as half a status line', `${OK}HTTP/1.1 2`],
    ['as an interim answer', `${OK}HTTP/1.1 100 Continue\r\n\r\n`],
    ['as blank lines', `${OK}\r\n\r\n`],
  ])('%s', async (_what, text) => {
    const receiver = await startForger((socket) => socket.write(text));
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered' });
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status: 500 });
    expect(receiver.requests()).toBe(2);
  });

  it('when it comes while nobody asks', async () => {
    const receiver = await startForger((socket) => socket.write(OK));
    await post(receiver.url);
    const closed = new Promise((resolve) => receiver.kept()?.on('close', resolve));
    receiver.kept()?.write(FORGED);
    await closed;
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status: 500 });
    expect([receiver.requests(), receiver.connections()]).toEqual([2, 2]);
  });

  it('when it lies there unread, as after a Lambda was frozen', async () => {
    const receiver = await startForger((socket) => socket.write(OK));
    await post(receiver.url);
    receiver.kept()?.write(FORGED);
    freeze(20);
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status: 500 });
    expect([receiver.requests(), receiver.connections()]).toEqual([2, 2]);
  });
});

describe('a kept connection that the receiver has left in the meantime', () => {
  it.each<[string, (socket: Socket) => void]>([
    ['by a reset', (socket) => socket.resetAndDestroy()],
    ['by an end', (socket) => socket.end()],
  ])('%s is not written to, so that no copy is made', async (_what, leave) => {
    const seen: string[] = [];
    const receiver = await startForger((socket) => socket.write(OK));
    await post(receiver.url);
    const kept = receiver.kept();
    kept?.on('data', (chunk) => seen.push(chunk.toString('latin1')));
    if (kept) leave(kept);
    freeze(20);
    const sent = await Promise.all([post(receiver.url), post(receiver.url)]);
    for (const it of sent) expect(it).toMatchObject({ kind: 'answered', status: 500 });
    expect(seen).toEqual([]);
    expect(receiver.connections()).toBe(3);
  });

  it('just when the request comes is replaced, and the copy says so', async () => {
    const heads: string[] = [];
    const receiver = await startRawReceiver((socket, nth) => {
      socket.once('data', (chunk) => heads.push(chunk.toString('latin1')));
      if (nth === 2) socket.end();
      else socket.write(OK);
    });
    await post(receiver.url);
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status: 200 });
    expect([receiver.requests(), receiver.connections()]).toEqual([3, 2]);
  });
});

it('is not kept when the receiver answered without having read the request', async () => {
  const receiver = await startHastyReceiver();
  const sent = await post(receiver.url, new Uint8Array(32 * 1_024 * 1_024));
  expect(sent).toMatchObject({ kind: 'answered', status: 200 });
  await receiver.readTheRest();
});

/** Answers at the first bytes of a request, and then reads no more until it is told to. */
async function startHastyReceiver() {
  const left = Promise.withResolvers<void>();
  let reader: Socket | undefined;
  const server = net.createServer((socket) => {
    reader = socket;
    socket.on('error', () => {}).on('close', () => left.resolve());
    socket.once('data', () => socket.pause().write(OK));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    /** Ends when the sender has gone. */
    async readTheRest() {
      reader?.resume();
      await left.promise;
      server.close();
    },
  };
}
