import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import type { SendResult } from '../../../functions/shared/world.ts';
import { startRawReceiver } from '../../support/raw-receiver.ts';
import { useStillTime } from '../../support/still-time.ts';
import { until } from '../../support/until.ts';

useStillTime();

const DEADLINE_MS = 10_000;
const AT_ONCE = 500;
const ORIGINS = 100;
const MIB = 1_024 * 1_024;

const openSockets = () =>
  process.getActiveResourcesInfo().filter((it) => it === 'TCPSocketWrap').length;

/** Linux tells of every descriptor, whoever in this process holds it. */
const openFiles = () =>
  process.platform === 'linux' ? readdirSync('/proc/self/fd').length : openSockets();

function flood(socket: Socket, head: string): void {
  const chunk = Buffer.from('endless '.repeat(1_024));
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more).write(head);
  more();
}

function drip(socket: Socket, head: string): void {
  socket.write(head);
  const timer = setInterval(() => socket.write('x'), 200);
  socket.on('close', () => clearInterval(timer));
}

const BAD: readonly ((socket: Socket) => void)[] = [
  () => {},
  (it) => drip(it, 'HTTP/1.1 2'),
  (it) => drip(it, 'HTTP/1.1 200 OK\r\na: '),
  (it) => drip(it, 'HTTP/1.1 200 OK\r\n\r\n'),
  (it) => flood(it, 'HTTP/1.1 200 OK\r\na: '),
  (it) => flood(it, 'HTTP/1.1 200 OK\r\n\r\n'),
  (it) => it.resetAndDestroy(),
];

/** Five to each of 100 origins, all at once. Answers how much memory that took at its worst. */
async function sendToAll(
  url: (host: string) => string,
  meanwhile: () => Promise<void>,
): Promise<[SendResult[], number]> {
  const sender = openGuardedSender({ egress: 'loopback', resolve: async () => ['127.0.0.1'] });
  const request = { headers: {}, body: new Uint8Array(1_024), timeoutMs: DEADLINE_MS };
  const before = process.memoryUsage().rss;
  let highest = before;
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage().rss);
  }, 20);
  const posts = Array.from({ length: AT_ONCE }, (_, n) =>
    sender.post({ ...request, url: url(`r${n % ORIGINS}.test`) }),
  );
  await meanwhile();
  const sent = await Promise.all(posts);
  clearInterval(watch);
  return [sent, highest - before];
}

describe(`${AT_ONCE} receivers at once`, () => {
  it('that hang, drip, flood or reset take little memory and leave no socket open', async () => {
    const before = { sockets: openSockets(), files: openFiles() };
    const receiver = await startRawReceiver((socket, nth) => BAD[nth % BAD.length]?.(socket));
    const [sent, grownBytes] = await sendToAll(
      (host) => `http://${host}:${receiver.port}/`,
      async () => {
        await until(receiver.requests, (it) => it === AT_ONCE);
        vi.advanceTimersByTime(DEADLINE_MS);
      },
    );
    receiver.stopListening();

    expect(new Set(sent.map((it) => it.kind))).toEqual(new Set(['answered', 'unknown']));
    // It holds both sides of each connection, and what the receivers have written ahead.
    expect(grownBytes / MIB).toBeLessThan(256);
    await until(
      () => ({ sockets: openSockets(), files: openFiles() }),
      (now) => now.sockets <= before.sockets && now.files <= before.files,
    );
  });

  it('that answer leave open no more than the connections of 64 origins', async () => {
    const receiver = await startRawReceiver((it) => it.write('HTTP/1.1 204 X\r\n\r\n'));
    const [sent] = await sendToAll(
      (host) => `http://${host}:${receiver.port}/`,
      async () => undefined,
    );
    expect(sent.map((it) => it.kind)).toEqual(sent.map(() => 'answered'));
    const bothSides = 2 * 64 * (AT_ONCE / ORIGINS);
    await until(openSockets, (open) => open <= bothSides);
  });
});
