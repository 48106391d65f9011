import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { apiCaller } from '../../bin/ops/api-caller.ts';
import { askApi, askDeadLetters } from '../../bin/ops/doctor-api.ts';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';

let server: Server | undefined;
afterEach(async () => {
  if (server) await closeServer(server);
});

/** An API that answers these paths, and any other with 500 and no words. */
async function answering(bodies: Readonly<Record<string, object>>) {
  const opened = createServer(({ url = '' }, response) => {
    const body = bodies[url];
    response.writeHead(body ? 200 : 500).end(JSON.stringify(body ?? ''));
  });
  server = opened;
  return apiCaller(`http://127.0.0.1:${await listenExactly(opened, 0)}`);
}

async function readyAdvice(check: object): Promise<string | undefined> {
  const [, ready] = await askApi(await answering({ '/ready': { checks: [check] } }));
  return ready?.advice;
}

describe('what is not ready', () => {
  it('is sent to the section about it: queues that are late are not worked off', async () => {
    const late = await readyAdvice({ name: 'queues', status: 'late', backlog: { tasks: 60_000 } });
    expect(late).toBe('"A queue is not worked off".');
  });

  it('is sent to that of functions where it does not answer', async () => {
    const failed = await readyAdvice({ name: 'queues', status: 'failed' });
    expect(failed).toBe('"A function fails": queues does not answer.');
  });

  it('is told also where nobody says what it is', async () => {
    const symptoms = await askApi(await answering({ '/health': { build: 'b' } }));
    expect(symptoms).toMatchObject([
      { about: 'health', seen: 'build b' },
      { about: 'ready', seen: 'answers 500', advice: expect.stringContaining('A function fails') },
    ]);
  });
});

describe('dead letters', () => {
  const adviceOf = async (queue: string) => {
    const data = [{ queue, depth: 2, redrivable: false, messages: [] }];
    const [symptom] = await askDeadLetters(await answering({ '/v1/admin/dead-letters': { data } }));
    return symptom?.advice;
  };

  it('of the stream come with the command as it may be called', async () => {
    expect(await adviceOf('unrelayed')).toContain(
      'when no event is unrelayed, npm run ops -- drop unrelayed --all --reason relayed',
    );
  });

  it('of statements are made good by a rebuild before they are dropped', async () => {
    const advice = await adviceOf('unprojected');
    expect(advice).toContain('"A statement ends too early": npm run ops -- rebuild statements');
    expect(advice).toContain('drop unprojected --all --before <its beginning> --reason rebuilt');
  });
});
