import { createServer } from 'node:http';
import { hasCode } from '../failure.ts';
import { listenExactly } from './listen.ts';

/**
 * Below the ports that Linux, macOS and Windows give to outgoing connections: one of those could
 * be taken by any client before a program listens there, or while that program starts again.
 */
const FIRST = 20_000;
const COUNT = 12_000;
const TRIES_MAX = 20;

/** A port that is free at this moment: the wanted one if it can be had. `0` for any. */
export async function freePort(wantedPort: number): Promise<number> {
  for (let n = 0, port = wantedPort || anyPort(); n < TRIES_MAX; n += 1, port = anyPort()) {
    if (await isFree(port)) return port;
  }
  throw new Error(`${TRIES_MAX} ports between ${FIRST} and ${FIRST + COUNT} are all busy`);
}

/**
 * Starts a program on a port of its own: on another one when somebody was faster. `start` throws
 * when its program does not start, and so does this when the port was not why.
 */
export async function onFreePort<Result>(
  wantedPort: number,
  start: (port: number) => Promise<Result>,
): Promise<Result> {
  for (let n = 1; ; n += 1) {
    const port = await freePort(wantedPort);
    try {
      return await start(port);
    } catch (error) {
      if (n === TRIES_MAX || (await isFree(port))) throw error;
    }
  }
}

function anyPort(): number {
  return FIRST + Math.floor(Math.random() * COUNT);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    await listenExactly(probe, port);
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) return false;
    throw error;
  }
  await new Promise((resolve) => probe.close(resolve));
  return true;
}
