import { execFile } from 'node:child_process';
import { once } from 'node:events';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import { selfSigned } from '../../support/certificate.ts';
import { startRawReceiver } from '../../support/raw-receiver.ts';

const MODULE = new URL('../../../functions/shared/http/guarded-sender.ts', import.meta.url).href;

/** Posts to each URL from a process of its own, and gives the results back. */
async function postFrom(env: Record<string, string>, urls: readonly string[]): Promise<unknown[]> {
  const script = `
    import { openGuardedSender } from ${JSON.stringify(MODULE)};
    const sender = openGuardedSender({ egress: 'loopback' });
    const post = (url) =>
      sender.post({ url, headers: {}, body: new Uint8Array([1]), timeoutMs: 60_000 });
    console.log(JSON.stringify(await Promise.all(process.argv.slice(1).map(post))));
    process.exit();
  `;
  const args = ['--input-type=module', '--eval', script, ...urls];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { PATH: process.env.PATH, ...env },
  });
  return JSON.parse(stdout);
}

it('uses no proxy and skips no check of certificates, whatever the environment says', async () => {
  const proxy = await startRawReceiver((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
  const receiver = await startRawReceiver((socket) => socket.end('HTTP/1.1 204 X\r\n\r\n'));
  const server = https.createServer(selfSigned('a.test')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const proxyUrl = `http://127.0.0.1:${proxy.port}`;
  const env = {
    NODE_USE_ENV_PROXY: '1',
    HTTP_PROXY: proxyUrl,
    HTTPS_PROXY: proxyUrl,
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  };
  const sent = await postFrom(env, [receiver.url, `https://127.0.0.1:${port}/`]);
  server.close();

  expect(sent).toMatchObject([
    { kind: 'answered', status: 204 },
    { kind: 'failed', error: 'tls' },
  ]);
  expect(proxy.connections()).toBe(0);
});

it('has sent nothing when a receiver never answers the handshake of TLS', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  const sockets: net.Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const sent = await openGuardedSender({ egress: 'loopback' }).post({
    url: `https://127.0.0.1:${port}/`,
    headers: {},
    body: new Uint8Array([1]),
    timeoutMs: 200,
  });
  server.close();
  for (const socket of sockets) socket.destroy();
  expect(sent).toMatchObject({ kind: 'failed', error: 'timeout' });
});
