import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import { startDynamo } from './engines/dynamodb.ts';
import { closeServer, type Engine } from './engines/engine.ts';
import { startFront } from './engines/front.ts';
import { startSqs } from './engines/sqs.ts';
import { hasCode, LocalFailure } from './failure.ts';
import { listen, listenExactly } from './http/listen.ts';
import type { LocalLog } from './log.ts';
import { SecretStore, secretsServer } from './secrets.ts';
import type { State } from './state.ts';
import { together, type Undo } from './undo.ts';

/** What runs before there is a template. */
export interface Services {
  readonly dynamodb: Engine;
  /** The same tables, for functions that work in the background. */
  readonly front: Engine;
  readonly sqs: Engine;
  readonly secrets: Engine & { readonly store: SecretStore };
}

export interface ApiAddress {
  readonly url: string;
  /** From now on requests are answered by this. */
  answerBy(listener: RequestListener): void;
}

/** The services stand behind the API's port, so that their addresses can be guessed. */
const behind = (apiPort: number, places: number): number => (apiPort === 0 ? 0 : apiPort + places);
export const S3_PLACE = 3;
const PLACES = { dynamodb: 1, sqs: 2, secrets: 4 };

export interface ServiceOptions {
  readonly state: State;
  readonly log: LocalLog;
  readonly port: number;
  /** Takes the reason when a service is gone for good. */
  readonly giveUp: (reason: string) => void;
}

export async function startServices(options: ServiceOptions, undo: Undo): Promise<Services> {
  const { state, log, port, giveUp } = options;
  const kept = async <Service extends Engine>(starting: Promise<Service>): Promise<Service> => {
    const service = await starting;
    undo.push(() => service.stop());
    return service;
  };
  const wanted = (places: number) => behind(port, places);
  const [tables, sqs, secrets] = await together(
    startTables(options, wanted(PLACES.dynamodb), kept),
    kept(startSqs({ file: state.path('sqs.db'), log, giveUp, wantedPort: wanted(PLACES.sqs) })),
    kept(startSecrets(state, wanted(PLACES.secrets))),
  );
  return { ...tables, sqs, secrets };
}

async function startTables(
  { state, log, giveUp }: ServiceOptions,
  wantedPort: number,
  kept: (starting: Promise<Engine>) => Promise<Engine>,
): Promise<Pick<Services, 'dynamodb' | 'front'>> {
  const dynamodb = await kept(startDynamo({ state, log, giveUp, wantedPort }));
  const front = await kept(startFront({ endpoint: dynamodb.endpoint, log, giveUp }));
  return { dynamodb, front };
}

/** Until there are functions that answer, as API Gateway says that it cannot. */
const STARTING = JSON.stringify({ message: 'Service Unavailable: the local cloud is starting' });
const SOON = { 'content-type': 'application/json', 'retry-after': '1' };

/** Takes the port. A busy one is what goes wrong most often: it is told before all else. */
export async function openApi(port: number, undo: Undo): Promise<ApiAddress> {
  let answer: RequestListener = (_, response) => response.writeHead(503, SOON).end(STARTING);
  const server: Server = createServer((request, response) => answer(request, response));
  try {
    const taken = await listenExactly(server, port);
    undo.push(() => closeServer(server));
    return {
      url: `http://127.0.0.1:${taken}`,
      answerBy(listener) {
        answer = listener;
      },
    };
  } catch (error) {
    if (!hasCode(error, 'EADDRINUSE')) throw error;
    throw new LocalFailure(`port ${port} is busy: stop what listens there, or take --port`);
  }
}

async function startSecrets(state: State, wantedPort: number) {
  const store = new SecretStore(state.path('secrets.json'));
  const server = secretsServer(store);
  const port = await listen(server, wantedPort);
  return { store, endpoint: `http://127.0.0.1:${port}`, stop: () => closeServer(server) };
}
