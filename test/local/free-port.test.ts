import { createServer, type Server } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { freePort, onFreePort } from '../../local/http/free-port.ts';
import { listenExactly } from '../../local/http/listen.ts';

/** Linux gives those from here on to any outgoing connection. */
const EPHEMERAL = 32_768;

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    await new Promise((resolve) => server.close(resolve));
  }
});

async function take(port: number): Promise<number> {
  const server = createServer();
  servers.push(server);
  return listenExactly(server, port);
}

it('takes the wanted port, or another one when that is busy', async () => {
  const wanted = await freePort(0);
  expect(await freePort(wanted)).toBe(wanted);
  await take(wanted);
  expect(await freePort(wanted)).not.toBe(wanted);
});

it('takes none that an outgoing connection could be given', async () => {
  for (let n = 0; n < 200; n += 1) {
    const port = await freePort(0);
    expect(port).toBeGreaterThan(1024);
    expect(port).toBeLessThan(EPHEMERAL);
  }
});

it('starts a program on another port when somebody was faster', async () => {
  const tried: number[] = [];
  const answer = await onFreePort(0, async (port) => {
    tried.push(port);
    if (tried.length === 1) await take(port);
    await take(port);
    return port;
  });
  expect(tried).toHaveLength(2);
  expect(answer).toBe(tried[1]);
});

it('does not start a program again whose trouble is another', async () => {
  let starts = 0;
  const starting = onFreePort(0, async () => {
    starts += 1;
    throw new Error('the file is damaged');
  });
  await expect(starting).rejects.toThrow('the file is damaged');
  expect(starts).toBe(1);
});
