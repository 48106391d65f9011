import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { allowUrl } from '../../../functions/shared/http/allowed-url.ts';
import { openAgent, openConnectionPool } from '../../../functions/shared/http/connection-pool.ts';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import { startReceiver } from '../../../local/receiver/server.ts';
import { type Certificate, selfSigned } from '../../support/certificate.ts';
import { startRawReceiver } from '../../support/raw-receiver.ts';
import { useStillTime } from '../../support/still-time.ts';
import { until } from '../../support/until.ts';

useStillTime();

const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';
const answer = (socket: Socket) => socket.write(NO_CONTENT);

const open = () => {
  const sender = openGuardedSender({ egress: 'loopback', resolve: async () => ['127.0.0.1'] });
  const request = { headers: {}, body: new Uint8Array([1]), timeoutMs: 5_000 };
  return (url: string) => sender.post({ ...request, url, repeatHeaders: { again: '1' } });
};

describe('a kept connection', () => {
  it('is used again for the same host', async () => {
    const receiver = await startRawReceiver(answer);
    const post = open();
    for (let n = 0; n < 5; n += 1) await post(receiver.url);
    expect([receiver.requests(), receiver.connections()]).toEqual([5, 1]);
  });

  it('is not kept when an answer was not read to its end', async () => {
    const long = `HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n${'x'.repeat(17_000)}`;
    const receiver = await startRawReceiver((socket) => socket.write(long));
    const post = open();
    await post(receiver.url);
    await post(receiver.url);
    expect(receiver.connections()).toBe(2);
  });

  it('that the receiver resets at the next request is replaced once, at once', async () => {
    const receiver = await startRawReceiver((socket, nth) => {
      if (nth === 2) socket.resetAndDestroy();
      else answer(socket);
    });
    const post = open();
    await post(receiver.url);
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status: 204 });
    expect([receiver.requests(), receiver.connections()]).toEqual([3, 2]);
  });

  it('marks the copy that replaces it, since the receiver may have got both', async () => {
    const receiver = await startReceiver();
    const post = open();
    await post(receiver.url);
    receiver.behave({ resetNext: 1 });
    expect(await post(receiver.url)).toMatchObject({ kind: 'answered', status: 200 });
    expect(receiver.received.map((it) => it.headers.again)).toEqual([undefined, undefined, '1']);
    await receiver.close();
  });

  it('is not replaced for those who want no copy', async () => {
    const receiver = await startRawReceiver((socket, nth) => {
      if (nth === 2) socket.resetAndDestroy();
      else answer(socket);
    });
    const sender = openGuardedSender({ egress: 'loopback' });
    const request = { url: receiver.url, headers: {}, body: new Uint8Array(), timeoutMs: 5_000 };
    await sender.post(request);
    expect(await sender.post(request)).toMatchObject({ kind: 'unknown', error: 'reset' });
    expect(receiver.requests()).toBe(2);
  });

  it('that is reset again on the new connection is not tried a third time', async () => {
    const receiver = await startRawReceiver((socket, nth) => {
      if (nth > 1) socket.resetAndDestroy();
      else answer(socket);
    });
    const post = open();
    await post(receiver.url);
    expect(await post(receiver.url)).toMatchObject({ kind: 'unknown', error: 'reset' });
    expect(receiver.requests()).toBe(3);
  });

  it('that is reset after any byte of an answer is not tried again', async () => {
    const receiver = await startRawReceiver((socket, nth) => {
      if (nth > 1) socket.write('H', () => socket.resetAndDestroy());
      else answer(socket);
    });
    const post = open();
    await post(receiver.url);
    expect(await post(receiver.url)).toMatchObject({ kind: 'unknown', error: 'reset' });
    expect(receiver.requests()).toBe(2);
  });

  it('leaves the outcome unknown when the receiver has gone away with it', async () => {
    const receiver = await startRawReceiver((socket, nth) => {
      if (nth === 1) return answer(socket);
      receiver.stopListening();
      return socket.resetAndDestroy();
    });
    const post = open();
    await post(receiver.url);
    expect(await post(receiver.url)).toMatchObject({ kind: 'unknown', error: 'reset' });
  });
});

describe('the agents', () => {
  const rules = { egress: 'public', ownHosts: [] } as const;
  const url = allowUrl('https://public.test/a', rules);
  const sameHost = allowUrl('https://public.test:443/b', rules);
  const otherPort = allowUrl('https://public.test:8443/a', rules);

  it('are one per origin', async () => {
    const pool = openConnectionPool(() => 0);
    expect(await pool.agentFor(sameHost)).toBe(await pool.agentFor(url));
    expect(await pool.agentFor(otherPort)).not.toBe(await pool.agentFor(url));
  });

  it.each([
    [0, true],
    [59_999, true],
    [60_000, false],
    [600_000, false],
    [-1, false],
  ])('of %i ms of age are still used: %s', async (ageMs, isUsed) => {
    let nowMs = 1_000_000;
    const pool = openConnectionPool(() => nowMs);
    const first = await pool.agentFor(url);
    nowMs += ageMs;
    expect((await pool.agentFor(url)) === first).toBe(isUsed);
  });

  it('close their idle connections when they are replaced', async () => {
    let nowMs = 0;
    const pool = openConnectionPool(() => nowMs);
    let closed = 0;
    const receiver = await startRawReceiver((socket) => {
      socket.on('close', () => {
        closed += 1;
      });
      answer(socket);
    });
    const local = allowUrl(receiver.url, { egress: 'loopback', ownHosts: [] });
    const agent = await pool.agentFor(local);
    const [response] = await once(http.request(receiver.url, { agent }).end(), 'response');
    response.resume();
    await until(
      () => Object.keys(agent.freeSockets).length,
      (count) => count === 1,
    );

    nowMs = 60_000;
    expect(await pool.agentFor(local)).not.toBe(agent);
    await until(
      () => closed,
      (count) => count === 1,
    );
  });

  it('close connections that were in use when they were replaced, after their answer', async () => {
    let nowMs = 0;
    const pool = openConnectionPool(() => nowMs);
    const asked = Promise.withResolvers<Socket>();
    const receiver = await startRawReceiver((socket) => asked.resolve(socket));
    const local = allowUrl(receiver.url, { egress: 'loopback', ownHosts: [] });
    const agent = await pool.agentFor(local);
    const answered = once(http.request(receiver.url, { agent }).end(), 'response');
    const socket = await asked.promise;

    nowMs = 60_000;
    expect(await pool.agentFor(local)).not.toBe(agent);
    const closed = once(socket, 'close');
    answer(socket);
    const [response] = await answered;
    response.resume();
    await closed;
    expect(agent.freeSockets).toEqual({});
  });

  it('close a connection by themselves when nobody has used it for that long', async () => {
    const receiver = await startRawReceiver(answer);
    const local = allowUrl(receiver.url, { egress: 'loopback', ownHosts: [] });
    const agent = openAgent(local, 50);
    const [response] = await once(http.request(receiver.url, { agent }).end(), 'response');
    const { socket } = response;
    response.resume();
    await once(socket, 'close');
    expect(agent.freeSockets).toEqual({});
  });

  it('are at most 64, and the oldest goes first', async () => {
    const pool = openConnectionPool(() => 0);
    const urls = Array.from({ length: 65 }, (_, n) => allowUrl(`https://h${n}.test/`, rules));
    const agents = await Promise.all(urls.map((it) => pool.agentFor(it)));
    for (const n of [1, 64]) expect(await pool.agentFor(urls[n] ?? url)).toBe(agents[n]);
    expect(await pool.agentFor(urls[0] ?? url)).not.toBe(agents[0]);
  });
});

describe('TLS', () => {
  const servers: http.Server[] = [];
  const trusted = tls.getCACertificates('default');
  afterEach(() => {
    tls.setDefaultCACertificates(trusted);
    for (const server of servers.splice(0)) server.close().closeAllConnections();
  });

  async function startTls(options: https.ServerOptions): Promise<number> {
    const server = https.createServer(options, (_req, res) => res.writeHead(204).end());
    server.on('tlsClientError', () => {}).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  const trust = ({ cert }: Certificate) => tls.setDefaultCACertificates([...trusted, cert]);

  it('is spoken with a receiver whose certificate is in order', async () => {
    const certificate = selfSigned('receiver.test');
    trust(certificate);
    const port = await startTls(certificate);
    const sent = await open()(`https://receiver.test:${port}/`);
    expect(sent).toMatchObject({ kind: 'answered', status: 204 });
  });

  it.each<[string, () => Promise<string>]>([
    ['signed by itself', async () => `https://a.test:${await startTls(selfSigned('a.test'))}/`],
    [
      'of another name',
      async () => {
        const certificate = selfSigned('a.test');
        trust(certificate);
        return `https://b.test:${await startTls(certificate)}/`;
      },
    ],
    [
      'of a name, for an address',
      async () => {
        const certificate = selfSigned('a.test');
        trust(certificate);
        return `https://127.0.0.1:${await startTls(certificate)}/`;
      },
    ],
    [
      'that has expired',
      async () => {
        const certificate = selfSigned('a.test', new Date(Date.now() - 1_000));
        trust(certificate);
        return `https://a.test:${await startTls(certificate)}/`;
      },
    ],
    [
      'in an old version of TLS',
      async () => {
        const certificate = selfSigned('a.test');
        trust(certificate);
        const old = {
          maxVersion: 'TLSv1.1',
          minVersion: 'TLSv1',
          ciphers: 'ALL@SECLEVEL=0',
        } as const;
        return `https://a.test:${await startTls({ ...certificate, ...old })}/`;
      },
    ],
    [
      'of a receiver that speaks plain HTTP',
      async () => {
        const server = http.createServer().listen(0, '127.0.0.1');
        servers.push(server);
        await once(server, 'listening');
        return `https://a.test:${(server.address() as AddressInfo).port}/`;
      },
    ],
  ])('is refused with a certificate %s, before anything is sent', async (_what, start) => {
    const sent = await open()(await start());
    expect(sent).toMatchObject({ kind: 'failed', error: 'tls' });
  });
});
