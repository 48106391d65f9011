import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import { Problem } from '../../../functions/shared/problem.ts';
import type { GuardedSender } from '../../../functions/shared/world.ts';
import { useCanary } from '../../support/canary.ts';
import { selfSigned } from '../../support/certificate.ts';
import {
  HOSTILE_URLS,
  literalHost,
  OWN_HOSTS,
  PRIVATE_ADDRESSES,
  resolveHostile,
} from '../../support/ssrf-vectors.ts';
import { useStillTime } from '../../support/still-time.ts';
import { until } from '../../support/until.ts';

const PUBLIC = ['93.184.215.14', '2606:4700:4700::1111'] as const;
const NAME = 'https://public.test/';
const canary = useCanary();
useStillTime();

const send = (sender: GuardedSender, url: string) =>
  sender.post({ url, headers: {}, body: new Uint8Array([1]), timeoutMs: 5_000 });

/** A sender of AWS whose name server gives one answer after the other. */
function senderWith(...answers: (readonly string[])[]): GuardedSender {
  return openGuardedSender({ egress: 'public', resolve: async () => answers.shift() ?? [] });
}

/** When an endpoint is saved. */
async function expectNotSaved(sender: GuardedSender, url: string): Promise<void> {
  const before = canary.reached();
  const reason = await sender.checkUrl(url).catch((error: unknown) => error);
  expect(reason).toBeInstanceOf(Problem);
  expect(reason).toMatchObject({ code: 'url_not_allowed' });
  expect(canary.reached()).toBe(before);
}

/** When it is delivered to, although it was saved. */
async function expectNotSent(sender: GuardedSender, url: string): Promise<void> {
  const before = canary.reached();
  const sent = await send(sender, url);
  expect(sent).toMatchObject({ kind: 'failed' });
  expect(['url_not_allowed', 'dns']).toContain('error' in sent && sent.error);
  expect(canary.reached()).toBe(before);
}

/** A client without a guard goes there. Ends when the canary has been reached. */
async function goUnguarded(url: string): Promise<void> {
  const before = canary.reached();
  const parsed = new URL(url);
  const { request } = parsed.protocol === 'https:' ? https : http;
  const req = request(parsed, { rejectUnauthorized: false }).on('error', () => {});
  req.end();
  await until(canary.reached, (reached) => reached > before);
  req.destroy();
}

it('tries at least 140 vectors, each of them once', () => {
  const urls = new Set(HOSTILE_URLS.map(([, url]) => url));
  const addresses = new Set(PRIVATE_ADDRESSES.map(([, address]) => address));
  expect(urls.size).toBe(HOSTILE_URLS.length);
  expect(addresses.size).toBe(PRIVATE_ADDRESSES.length);
  expect(urls.size + addresses.size).toBeGreaterThanOrEqual(140);
});

describe('the canary is there: without the guard it is reached', () => {
  it.each(PRIVATE_ADDRESSES)('at %s, %s', async (_what, address) => {
    await goUnguarded(`https://${literalHost(address)}:8443/`);
  });

  it('by each hostile URL that is one at all', async () => {
    const isWeb = (url: string) => /^https?:$/.test(URL.parse(url)?.protocol ?? '');
    const urls = HOSTILE_URLS.map(([, url]) => url).filter(isWeb);
    expect(urls.length).toBeGreaterThan(70);
    for (const url of urls) await goUnguarded(url);
  });

  it('by the sender, when the address is allowed', async () => {
    const before = canary.reached();
    expect(await send(senderWith(PUBLIC), NAME)).toMatchObject({ kind: 'failed' });
    expect(canary.reached()).toBeGreaterThan(before);
  });
});

describe('an address that is not public', () => {
  it.each(PRIVATE_ADDRESSES)('is refused in a URL: %s, %s', async (_what, address) => {
    for (const port of ['', ':8443']) {
      const url = `https://${literalHost(address)}${port}/`;
      await expectNotSaved(senderWith(), url);
      await expectNotSent(senderWith(), url);
    }
  });

  it.each(PRIVATE_ADDRESSES)('is refused for a name: %s, %s', async (_what, address) => {
    for (const answer of [[address], [...PUBLIC, address], [address, ...PUBLIC]]) {
      await expectNotSaved(senderWith(answer), NAME);
    }
  });

  it.each(PRIVATE_ADDRESSES)('is refused once DNS has changed: %s, %s', async (_what, address) => {
    for (const answer of [[address], [...PUBLIC, address], [address, ...PUBLIC]]) {
      const sender = senderWith(PUBLIC, answer, answer);
      await expect(sender.checkUrl(NAME)).resolves.toBe(NAME);
      await expectNotSent(sender, NAME);
      await expectNotSent(sender, NAME);
    }
  });
});

describe('a hostile URL', () => {
  const options = { egress: 'public', ownHosts: OWN_HOSTS } as const;

  it.each(HOSTILE_URLS)('is neither saved nor sent to: %s', async (_what, url) => {
    const sender = openGuardedSender({ ...options, resolve: resolveHostile });
    await expectNotSaved(sender, url);
    await expectNotSent(sender, url);
  });

  it.each(HOSTILE_URLS)('is refused whatever DNS says of it by then: %s', async (_what, url) => {
    for (const answer of [['127.0.0.1'], ['::1'], [PUBLIC[0], '169.254.169.254'], []]) {
      const sender = openGuardedSender({ ...options, resolve: async () => answer });
      await expectNotSaved(sender, url);
      await expectNotSent(sender, url);
    }
  });
});

describe('a receiver that redirects', () => {
  const trusted = tls.getCACertificates('default');
  const certificate = selfSigned('public.test');
  let location = '';
  let status = 302;
  const server = https.createServer(certificate, (_req, res) => {
    res.writeHead(status, { location, refresh: `0; url=${location}` }).end();
  });
  beforeAll(async () => {
    tls.setDefaultCACertificates([...trusted, certificate.cert]);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    for (const address of PUBLIC) canary.put(address, (server.address() as AddressInfo).port);
  });
  afterAll(() => {
    tls.setDefaultCACertificates(trusted);
    server.close().closeAllConnections();
  });

  it.each(PRIVATE_ADDRESSES)('is not followed to %s, %s', async (_what, address) => {
    const before = canary.reached();
    const sender = openGuardedSender({ egress: 'public', resolve: async () => [...PUBLIC] });
    for (status of [301, 302, 303, 307, 308]) {
      location = `${status % 2 ? 'http' : 'https'}://${literalHost(address)}/`;
      expect(await send(sender, NAME)).toMatchObject({ kind: 'answered', status });
    }
    expect(canary.reached()).toBe(before);
  });

  it('is not followed to a hostile URL', async () => {
    const before = canary.reached();
    const sender = openGuardedSender({ egress: 'public', resolve: async () => [...PUBLIC] });
    for (const [, url] of HOSTILE_URLS) {
      // What cannot stand in a header is not sent by any server.
      location = url.replace(/[^\x20-\x7e]/g, '');
      status = 307;
      expect(await send(sender, NAME)).toMatchObject({ kind: 'answered', status });
    }
    expect(canary.reached()).toBe(before);
  });
});
