import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { readFlags } from '../../bin/ops/command.ts';
import { doctor } from '../../bin/ops/doctor.ts';
import { openInstallation } from '../../bin/ops/installation.ts';
import { SWEPT_TABLES } from '../../functions/timers/due-table.ts';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let server: Server | undefined;
beforeEach(async () => {
  world = await testWorld();
  for (const [table, name] of Object.entries(world.tables)) {
    vi.stubEnv(`TABLE_${table.toUpperCase()}`, name);
  }
});
afterEach(async () => {
  vi.unstubAllEnvs();
  if (server) await closeServer(server);
  server = undefined;
});

const NOBODY = 'http://127.0.0.1:9';

/** Stands before the engine of the tables, and refuses these calls as AWS does. */
async function denying(isDenied: (operation: string, body: string) => boolean): Promise<string> {
  const opened = createServer(async ({ headers, method }, response) => {
    const target = String(headers['x-amz-target']);
    const operation = target.replace(/^.*\./, '');
    const body = await text(response.req);
    if (isDenied(operation, body)) {
      const message = `User: someone is not authorized to perform: dynamodb:${operation}`;
      const __type = 'com.amazon.coral.service#AccessDeniedException';
      response.writeHead(400).end(JSON.stringify({ __type, message }));
      return;
    }
    const { authorization = '', 'x-amz-date': date } = headers;
    const signed = { authorization, 'x-amz-date': String(date), 'x-amz-target': target };
    const type = { 'content-type': 'application/x-amz-json-1.0' };
    const init = { method: String(method), headers: { ...signed, ...type }, body };
    const answer = await fetch(inject('engineUrl'), init);
    response.writeHead(answer.status).end(await answer.text());
  });
  server = opened;
  return `http://127.0.0.1:${await listenExactly(opened, 0)}`;
}

const printed: string[] = [];

/** The command as it is called, on an installation whose API and secrets do not answer. */
async function run(dynamodb: string, ...args: readonly string[]) {
  printed.splice(0);
  const places = ['--api', NOBODY, '--secrets', NOBODY, '--dynamodb', dynamodb, ...args];
  const given = readFlags(doctor, places);
  const { clock } = world;
  const print = (line: string) => void printed.push(line);
  const at = openInstallation(given, {}, () => undefined);
  const ended = await doctor.run(given, { at, print, note: print, sleep: clock.sleep, clock });
  return { ended, printed: printed.join('\n') };
}

describe('doctor', () => {
  it('names the table that it may not read, and looks at the others', async () => {
    const url = await denying((call, body) => call === 'GetItem' && body.includes('W#tasks'));
    const { ended, printed } = await run(url);
    expect(ended).toBe('person');
    expect(printed).toMatch(
      /^LOOK {2}due in tasks +could not be asked: User: .+ not authorized to perform: dyn/m,
    );
    expect(printed).toMatch(/^- ".+" in docs\/runbook.md says what it needs to be allowed/m);
    expect(printed).toMatch(/^ok {4}due in ledger +the sweeper has not run yet$/m);
    expect(printed).toMatch(/^ok {4}received webhooks +none has failed/m);
  });

  it('tells of each table where it may not list them, and of the rest', async () => {
    const { ended, printed } = await run(await denying((call) => call === 'ListTables'));
    expect(ended).toBe('person');
    expect(printed).toMatch(/^LOOK {2}the API +could not be asked: .+ does not answer/m);
    for (const about of ['unrelayed events', 'received webhooks', 'due in control']) {
      expect(printed).toMatch(
        new RegExp(`^LOOK {2}${about} +could not be asked: .+ListTables$`, 'm'),
      );
    }
  });

  it('says that a name is not found, for each thing behind it', async () => {
    const { ended, printed } = await run('http://nowhere.invalid');
    expect(ended).toBe('person');
    const lines = printed.split('\n').filter((it) => it.includes('nowhere.invalid is not found'));
    expect(lines).toHaveLength(SWEPT_TABLES.length + 2);
    expect(printed).toMatch(/^- .*its network/m);
  });

  it('says so where one table is gone, and looks at the others', async () => {
    vi.stubEnv('TABLE_TASKS', undefined);
    const { ended, printed } = await run(inject('engineUrl'), '--stack', 'Gone');
    expect(ended).toBe('person');
    expect(printed).toMatch(/^LOOK {2}due in tasks +could not be asked: Gone has no table tasks/m);
    expect(printed).toMatch(/^ok {4}due in ledger /m);
    expect(printed).toMatch(/^- .+look at --stack, --restored and TALLYHOOK_RESTORED/m);
  });

  it('refuses a stack without any table, and tells what it saw before', async () => {
    vi.unstubAllEnvs();
    const ended = run(inject('engineUrl'), '--stack', 'Gone');
    await expect(ended).rejects.toThrow(/^Gone has no table /);
    expect(printed).toEqual([
      expect.stringMatching(/^LOOK {2}the API +could not be asked/),
      expect.stringMatching(/^LOOK {2}dead letters +could not be asked/),
    ]);
  });
});
