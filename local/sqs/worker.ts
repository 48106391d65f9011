/** The thread of the local SQS: its disk writes never hold up the API and the pollers. */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../failure.ts';
import { listenExactly } from '../http/listen.ts';
import { sqsServer } from './server.ts';
import { QueueStore } from './store.ts';

const HOUR_MS = 3_600_000;
const { file, port } = workerData as { file: string; port: number };

try {
  const store = new QueueStore(file);
  store.expire();
  setInterval(() => store.expire(), HOUR_MS);
  const server = sqsServer(store);
  await listenExactly(server, port);
  parentPort?.postMessage({});
  parentPort?.once('message', () => {
    server.closeAllConnections();
    server.close(() => {
      store.close();
      process.exit();
    });
  });
} catch (error) {
  parentPort?.postMessage({ failure: messageOf(error) });
}
