/** The thread of the front: what passes through it never holds up the API and the pollers. */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../failure.ts';
import { listenExactly } from '../http/listen.ts';
import { frontServer } from './front.ts';

const { endpoint, port } = workerData as { endpoint: string; port: number };

try {
  const server = frontServer(endpoint);
  await listenExactly(server, port);
  parentPort?.postMessage({});
  parentPort?.once('message', () => process.exit());
} catch (error) {
  parentPort?.postMessage({ failure: messageOf(error) });
}
