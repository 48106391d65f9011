import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import type { OutboundRequest, SendResult } from '../../../functions/shared/world.ts';
import { startRawReceiver } from '../../support/raw-receiver.ts';
import { useSentRequests } from '../../support/sent-requests.ts';
import { useStillTime } from '../../support/still-time.ts';
import { until } from '../../support/until.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';

useStillTime();
const requests = useSentRequests();

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);

/** A sender whose name server answers at a time of its own. */
function senderAfter(dns: Promise<void>) {
  return openGuardedSender({
    egress: 'loopback',
    resolve: () => dns.then(() => ['127.0.0.1']),
  });
}

/** A request under way, and whether it has come to its end. */
function begin(url: string, more: Partial<OutboundRequest> = {}, dns = Promise.resolve()) {
  const request = { url, headers: {}, body: new Uint8Array([1]), timeoutMs: 10_000, ...more };
  const state: { sent?: SendResult } = {};
  const done = senderAfter(dns)
    .post(request)
    .then((sent) => {
      state.sent = sent;
      return sent;
    });
  return { done, isOver: () => state.sent !== undefined };
}

/** A receiver that hands out each request's socket. */
async function startHandingOut() {
  const waiting: ((socket: Socket) => void)[] = [];
  const receiver = await startRawReceiver((socket) => waiting.shift()?.(socket));
  const next = () => new Promise<Socket>((resolve) => waiting.push(resolve));
  return { url: receiver.url.replace('127.0.0.1', 'receiver.test'), next };
}

describe('a connection', () => {
  it('has five seconds, its handshake included', async () => {
    const server = net.createServer(() => {}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const sent = begin(`https://receiver.test:${port}/`, { timeoutMs: 15_000 });
    const [socket] = await once(server, 'connection');
    await seconds(4.999);
    expect(sent.isOver()).toBe(false);
    await seconds(0.001);
    expect(await sent.done).toMatchObject({ kind: 'failed', error: 'timeout', ms: 5_000 });
    socket.destroy();
    server.close();
  });

  it('that stands has the whole deadline for its answer', async () => {
    const { url, next } = await startHandingOut();
    const arrived = next();
    const sent = begin(url);
    const socket = await arrived;
    await seconds(9.9);
    socket.write(OK);
    expect(await sent.done).toMatchObject({ kind: 'answered', status: 200, ms: 9_900 });
  });
});

describe('a second without an end', () => {
  it.each([
    ['of DNS', undefined],
    ['of an answer that has only begun', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['of an answer that trickles', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx'],
  ])('%s is told of, once', async (_what, head) => {
    const { url, next } = await startHandingOut();
    const arrived = next();
    const onSilence = vi.fn<() => void>();
    const dns = Promise.withResolvers<void>();
    const sent = begin(url, { onSilence }, head === undefined ? dns.promise : undefined);
    if (head !== undefined) (await arrived).write(head);
    await seconds(0.999);
    expect(onSilence).not.toHaveBeenCalled();
    await seconds(0.001);
    expect(onSilence).toHaveBeenCalledOnce();
    await seconds(9);
    await sent.done;
    expect(onSilence).toHaveBeenCalledOnce();
  });

  it('is not when the end came before', async () => {
    const { url, next } = await startHandingOut();
    const arrived = next();
    const onSilence = vi.fn<() => void>();
    const sent = begin(url, { onSilence });
    const socket = await arrived;
    await seconds(0.9);
    socket.write(OK);
    await sent.done;
    await seconds(1);
    expect(onSilence).not.toHaveBeenCalled();
  });
});

describe('the deadline', () => {
  it('includes the questions to DNS', async () => {
    const { url, next } = await startHandingOut();
    const arrived = next();
    const dns = Promise.withResolvers<void>();
    const sent = begin(url, {}, dns.promise);
    await seconds(9);
    dns.resolve();
    await arrived;
    await seconds(0.999);
    expect(sent.isOver()).toBe(false);
    await seconds(0.001);
    expect(await sent.done).toMatchObject({ kind: 'unknown', error: 'timeout', ms: 10_000 });
  });

  it('ends a question to DNS', async () => {
    const never = new Promise<void>(() => {});
    const sent = begin('http://receiver.test:4000/', {}, never);
    await seconds(10);
    expect(await sent.done).toMatchObject({ kind: 'failed', error: 'timeout', ms: 10_000 });
  });

  it('includes the body, of which a byte comes each second', async () => {
    const { url, next } = await startHandingOut();
    const arrived = next();
    const sent = begin(url);
    const socket = await arrived;
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    await until(
      () => requests[0]?.socket?.bytesRead ?? 0,
      (bytes) => bytes > 0,
    );
    for (let second = 0; second < 9; second += 1) {
      socket.write('x');
      await seconds(1);
    }
    expect(sent.isOver()).toBe(false);
    await seconds(1);
    expect(await sent.done).toMatchObject({ kind: 'answered', status: 200, ms: 10_000 });
  });

  it('includes the copy that replaces one on a kept connection', async () => {
    const { url, next } = await startHandingOut();
    const sender = senderAfter(Promise.resolve());
    const request = { url, headers: {}, body: new Uint8Array([1]), timeoutMs: 10_000 };
    const first = next();
    const warm = sender.post(request);
    (await first).write(OK);
    await warm;

    const second = next();
    const done = sender.post({ ...request, repeatHeaders: { again: '1' } });
    const kept = await second;
    await seconds(6);
    const copy = next();
    kept.resetAndDestroy();
    await copy;
    await seconds(4);
    expect(await done).toMatchObject({ kind: 'unknown', error: 'timeout', ms: 10_000 });
  });
});
