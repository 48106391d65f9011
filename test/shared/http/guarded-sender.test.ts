import net from 'node:net';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import { Problem } from '../../../functions/shared/problem.ts';
import type { GuardedSender } from '../../../functions/shared/world.ts';
import { startRawReceiver } from '../../support/raw-receiver.ts';
import { OWN_HOSTS, resolveHostile } from '../../support/ssrf-vectors.ts';
import { useStillTime } from '../../support/still-time.ts';

useStillTime();

const strict = openGuardedSender({ egress: 'public', resolve: resolveHostile });

const post = (sender: GuardedSender, url: string) =>
  sender.post({ url, headers: {}, body: new Uint8Array([1]), timeoutMs: 2_000 });

async function refusal(check: Promise<unknown>): Promise<Problem> {
  const reason = await check.catch((error: unknown) => error);
  if (reason instanceof Problem) return reason;
  throw new Error('it was not refused', { cause: reason });
}

/** Every connection that this process tries to open goes through here, TLS included. */
const connect = vi.spyOn(net.Socket.prototype, 'connect');
beforeEach(() => {
  connect.mockClear();
});
afterAll(() => connect.mockRestore());

async function expectRefused(url: string, sender: GuardedSender): Promise<void> {
  expect((await refusal(sender.checkUrl(url))).code).toBe('url_not_allowed');
  const sent = await post(sender, url);
  expect(sent).toMatchObject({ kind: 'failed' });
  expect(['url_not_allowed', 'dns']).toContain('error' in sent && sent.error);
  expect(connect).not.toHaveBeenCalled();
}

describe('a URL that is allowed', () => {
  it.each([
    ['https://public.test', 'https://public.test/'],
    ['https://PUBLIC.test./a/../b?c=d#e', 'https://public.test/b?c=d'],
    ['https://public.test:443/', 'https://public.test/'],
    ['https://public.test:8443/a b', 'https://public.test:8443/a%20b'],
    [' https://public.test/\n', 'https://public.test/'],
    ['https://93.184.215.14/', 'https://93.184.215.14/'],
    ['https://[2606:4700:4700::1111]/', 'https://[2606:4700:4700::1111]/'],
    ['https://public.test\\@private.test/', 'https://public.test/@private.test/'],
    ['https://public.test/@127.0.0.1', 'https://public.test/@127.0.0.1'],
    ['https://api2.tallyhook.test/', undefined],
    [`https://public.test/${'a'.repeat(2_028)}`, `https://public.test/${'a'.repeat(2_028)}`],
  ])('%.60s is stored in one form', async (url, href) => {
    const sender = openGuardedSender({
      egress: 'public',
      ownHosts: OWN_HOSTS,
      resolve: async () => ['1.1.1.1'],
    });
    expect(await sender.checkUrl(url)).toBe(href ?? url);
  });
});

describe('what a tenant may learn', () => {
  it('is one text for all that the network says', async () => {
    const urls = [
      'https://private.test/',
      'https://missing.test/',
      'https://empty.test/',
      'https://mixed.test/',
      'https://10.0.0.1/',
      'https://[::1]:8443/',
    ];
    const texts = await Promise.all(urls.map((url) => refusal(strict.checkUrl(url))));
    expect(new Set(texts.map((it) => it.message)).size).toBe(1);
    expect(texts[0]?.facts.detail).toContain('public addresses');
  });

  it('is the rule that a URL breaks by its form', async () => {
    expect((await refusal(strict.checkUrl('http://public.test/'))).message).toContain('https://');
    expect((await refusal(strict.checkUrl('https://a@public.test/'))).message).toContain('user');
    expect((await refusal(strict.checkUrl('https://public.test:1/'))).message).toContain('8443');
  });
});

describe('a name', () => {
  it('is looked up anew at each attempt, and refused once it leads inside', async () => {
    const receiver = await startRawReceiver((socket) =>
      socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
    );
    const answers = [['127.0.0.1'], ['10.0.0.1'], ['127.0.0.1', '169.254.169.254'], ['127.0.0.1']];
    const sender = openGuardedSender({
      egress: 'loopback',
      resolve: async () => answers.shift() ?? [],
    });
    const url = `http://rebinding.test:${receiver.port}/`;

    expect(await post(sender, url)).toMatchObject({ kind: 'answered', status: 204 });
    expect(await post(sender, url)).toMatchObject({ kind: 'failed', error: 'url_not_allowed' });
    expect(await post(sender, url)).toMatchObject({ kind: 'failed', error: 'url_not_allowed' });
    expect(await post(sender, url)).toMatchObject({ kind: 'answered', status: 204 });
    expect(receiver.requests()).toBe(2);
  });

  it('that was public when it was saved is refused when it is sent to', async () => {
    const answers = [['93.184.215.14'], ['127.0.0.1']];
    const sender = openGuardedSender({
      egress: 'public',
      resolve: async () => answers.shift() ?? [],
    });
    await expect(sender.checkUrl('https://rebinding.test/')).resolves.toBeDefined();
    const sent = await post(sender, 'https://rebinding.test/');
    expect(sent).toMatchObject({ kind: 'failed', error: 'url_not_allowed' });
    expect(connect).not.toHaveBeenCalled();
  });

  it('is connected to under exactly the addresses that were checked', async () => {
    const receiver = await startRawReceiver((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    const sender = openGuardedSender({ egress: 'loopback', resolve: async () => ['127.0.0.1'] });
    const url = `http://no-such-name.invalid:${receiver.port}/`;
    expect(await post(sender, url)).toMatchObject({ kind: 'answered', status: 200 });
  });

  it('that is not answered in time fails without a connection', async () => {
    const never = () => new Promise<string[]>(() => {});
    const sender = openGuardedSender({ egress: 'public', resolve: never });
    const request = { url: 'https://slow.test/', headers: {}, body: new Uint8Array() };
    const sent = sender.post({ ...request, timeoutMs: 50 });
    await vi.advanceTimersByTimeAsync(50);
    expect(await sent).toMatchObject({ kind: 'failed', error: 'timeout', ms: 50 });
    expect(connect).not.toHaveBeenCalled();
  });

  it('that does not exist is a failure of DNS', async () => {
    const sent = await post(strict, 'https://missing.test/');
    expect(sent).toMatchObject({ kind: 'failed', error: 'dns' });
  });
});

describe('the egress of a local cloud', () => {
  const local = openGuardedSender({
    egress: 'loopback',
    ownHosts: ['127.0.0.1:3000'],
    resolve: resolveHostile,
  });

  it.each([
    'http://127.0.0.1:4000/',
    'http://[::1]:4000/',
    'http://localhost/',
    'https://127.0.0.1:9/',
    'https://public.test:8443/',
    'http://127.0.0.1:3001/',
  ])('allows %s', async (url) => {
    await expect(local.checkUrl(url)).resolves.toBe(url);
  });

  it.each([
    'http://public.test/',
    'https://public.test:4000/',
    'http://10.0.0.1:4000/',
    'http://private.test:4000/',
    'http://169.254.169.254/',
    'https://169.254.170.2/',
    'http://0.0.0.0:4000/',
    'http://[::ffff:10.0.0.1]:4000/',
    'http://a@127.0.0.1:4000/',
    'http://127.0.0.1:3000/',
    'http://localhost:3000/',
    'http://LocalHost.:3000/',
    'http://api.localhost:3000/',
    'http://[::1]:3000/',
    'http://[::ffff:127.0.0.1]:3000/',
    'http://127.1:3000/',
    'http://0x7f000001:3000/',
    'http://127.9.9.9:3000/',
    'https://localhost:3000/',
    'ftp://127.0.0.1/',
  ])('still refuses %s', async (url) => {
    await expectRefused(url, local);
  });

  it('leads to our own API by no other name either', async () => {
    const resolve = async () => ['1.1.1.1', '127.0.0.1'];
    const sender = openGuardedSender({ egress: 'loopback', ownHosts: ['127.0.0.1:443'], resolve });
    await expectRefused('https://a-name-of-it.test/', sender);
    await expect(sender.checkUrl('https://a-name-of-it.test:8443/')).resolves.toBeDefined();
  });
});
