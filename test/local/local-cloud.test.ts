import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callAws } from '../../local/aws-call.ts';
import { LocalFailure } from '../../local/failure.ts';
import type { Endpoints } from '../../local/functions.ts';
import { freePort } from '../../local/http/free-port.ts';
import { listenExactly } from '../../local/http/listen.ts';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { enginePid, killEngine, killEngineUntilAnother } from '../support/engine-process.ts';
import { eventually } from '../support/until.ts';
import { type SmallStack, writeSmallStack } from './small-stack.ts';

let stack: SmallStack;
let cloud: LocalCloud | undefined;

beforeEach(() => {
  stack = writeSmallStack();
});
afterEach(async () => {
  await cloud?.stop();
  cloud = undefined;
  stack.remove();
});

async function start(more: Partial<Parameters<typeof startLocalCloud>[0]> = {}) {
  cloud = await startLocalCloud({ stateDir: stack.stateDir, assembly: stack.assembly, ...more });
  return cloud;
}

/** The events that the function of the stack was called with. */
function seen(): Record<string, unknown>[] {
  if (!existsSync(stack.seenFile)) return [];
  const lines = readFileSync(stack.seenFile, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line));
}
const seenText = () => JSON.stringify(seen());

/** Processes whose command line names the folder of this test. */
function processesOfTest(): string[] {
  const all = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  return all.filter((line) => line.includes(stack.stateDir) || line.includes(stack.assembly.dir));
}

const putItem = (endpoints: Endpoints, pk: string) =>
  callAws({ endpoint: endpoints.dynamodb, service: 'dynamodb' }, 'PutItem', {
    TableName: 'Tallyhook-Ledger',
    Item: { pk: { S: pk }, sk: { S: '#' } },
  });

const send = (endpoints: Endpoints, queue: string, body: string, DelaySeconds = 0) =>
  callAws({ endpoint: endpoints.sqs, service: 'sqs' }, 'SendMessage', {
    QueueUrl: `${endpoints.sqs}/000000000000/Tallyhook-${queue}`,
    MessageBody: body,
    DelaySeconds,
  });

describe('a local cloud', () => {
  it('answers HTTP with the function of the route', async () => {
    const { apiUrl } = await start();
    const reply = await fetch(`${apiUrl}/any/path`, { method: 'POST', body: 'text' });
    expect(await reply.json()).toMatchObject({ rawPath: '/any/path', body: 'text' });
  });

  it('turns an upload into an event, a message and a call', async () => {
    const { endpoints, bucket } = await start();
    const upload = (key: string) =>
      fetch(`${endpoints.s3}/${bucket}/${key}`, { method: 'PUT', body: 'x' });
    const versionId = (await upload('in/a.csv')).headers.get('x-amz-version-id');
    await upload('out/b.csv');
    await eventually(() => expect(seenText()).toContain('in/a.csv'));
    const body = seen().flatMap(({ Records = [] }) => Records as { body?: string }[]);
    expect(JSON.parse(body[0]?.body ?? '{}')).toMatchObject({
      source: 'aws.s3',
      'detail-type': 'Object Created',
      detail: {
        bucket: { name: bucket },
        object: { key: 'in/a.csv', size: 1, 'version-id': versionId },
      },
    });
    expect(seenText()).not.toContain('out/b.csv');
  });

  it('calls the reader of a stream soon after the write', async () => {
    const { endpoints } = await start();
    await eventually(() => expect(seenText()).toContain('Scheduled Event'));
    await putItem(endpoints, 'written');
    await eventually(() => expect(seenText()).toContain('written'));
    const [record] = seen().flatMap(({ Records = [] }) => Records as { eventSource: string }[]);
    expect(record).toMatchObject({ eventSource: 'aws:dynamodb', eventName: 'INSERT' });
  });

  it('names tables and queues as the functions know them', async () => {
    const running = await start();
    expect(running.table('ledger')).toBe('Tallyhook-Ledger');
    expect(running.queue('work')).toBe(`${running.endpoints.sqs}/000000000000/Tallyhook-Work`);
    expect(() => running.table('nothing')).toThrow('TABLE_NOTHING');
  });

  it('makes a secret once, readable by its owner only, and gives it to functions', async () => {
    const first = await start();
    expect(first.adminKey).toMatch(/^[A-Za-z0-9]{40}$/);
    const secrets = new SecretsManagerClient({
      endpoint: first.endpoints.secrets,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    const read = (SecretId: string) => secrets.send(new GetSecretValueCommand({ SecretId }));
    expect(await read(first.variable('SECRET_ADMIN_KEY'))).toMatchObject({
      SecretString: first.adminKey,
    });
    await expect(read('nothing')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    expect(statSync(join(stack.stateDir, 'secrets.json')).mode & 0o777).toBe(0o600);
    await first.stop();

    const second = await start();
    expect(second.adminKey).toBe(first.adminKey);
    await second.stop();
    expect((await start({ adminKey: 'given' })).adminKey).toBe('given');
  });

  it('kills the instances of a function on demand', async () => {
    const running = await start();
    await running.invoke('small/worker', {});
    const pids = running.instances('small/worker');
    expect(await running.killInstances('small/worker')).toBe(pids.length);
    expect(running.instances('small/worker')).toEqual([]);
    expect(await running.invoke('small/worker', {})).toMatchObject({ ok: true });
  });
});

/** How old the oldest message of a queue is. */
async function ageOf({ endpoints }: LocalCloud, queue: string): Promise<number | undefined> {
  const client = new CloudWatchClient({
    endpoint: endpoints.cloudwatch,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const Metric = {
    Namespace: 'AWS/SQS',
    MetricName: 'ApproximateAgeOfOldestMessage',
    Dimensions: [{ Name: 'QueueName', Value: `Tallyhook-${queue}` }],
  };
  const { MetricDataResults: [result] = [] } = await client.send(
    new GetMetricDataCommand({
      MetricDataQueries: [{ Id: 'age', MetricStat: { Metric, Period: 60, Stat: 'Maximum' } }],
      StartTime: new Date(Date.now() - 300_000),
      EndTime: new Date(Date.now() + 60_000),
    }),
  );
  client.destroy();
  return result?.Values?.[0];
}

describe('the end of a local cloud', () => {
  it('leaves no process behind', async () => {
    const running = await start();
    await running.invoke('small/worker', {});
    expect(processesOfTest()).not.toEqual([]);
    await running.stop();
    cloud = undefined;
    expect(processesOfTest()).toEqual([]);
  });

  it('by kill -9 leaves no process behind and loses nothing', async () => {
    const args = [join(import.meta.dirname, 'small-cloud.ts'), stack.assembly.dir, stack.stateDir];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    const { apiUrl, adminKey, endpoints } = JSON.parse(line);
    await fetch(`${apiUrl}/warm`);
    await putItem(endpoints, 'kept-item');
    await send(endpoints, 'Parked', 'kept-message');
    const sentMs = Date.now();
    await send(endpoints, 'Work', 'later', 2);
    child.kill('SIGKILL');
    await eventually(() => expect(processesOfTest()).toEqual([]));

    const again = await start();
    expect(again.adminKey).toBe(adminKey);
    const sinceSeconds = Math.floor((Date.now() - sentMs) / 1_000);
    expect(await ageOf(again, 'Parked')).toBeGreaterThanOrEqual(sinceSeconds);
    const received = await callAws<{ Messages: { Body: string }[] }>(
      { endpoint: again.endpoints.sqs, service: 'sqs' },
      'ReceiveMessage',
      { QueueUrl: again.queue('parked') },
    );
    expect(received.Messages).toMatchObject([{ Body: 'kept-message' }]);
    await eventually(() => expect(seenText()).toContain('later'));
    const { Item } = await callAws<{ Item: object }>(
      { endpoint: again.endpoints.dynamodb, service: 'dynamodb' },
      'GetItem',
      { TableName: again.table('ledger'), Key: { pk: { S: 'kept-item' }, sk: { S: '#' } } },
    );
    expect(Item).toMatchObject({ pk: { S: 'kept-item' } });
  });
});

it('ends an engine that was left behind, so that two never share a file', async () => {
  const first = await start();
  const pidFile = join(stack.stateDir, 'dynamodb.pid');
  await putItem(first.endpoints, 'kept-item');
  await first.stop();
  const engine = join(import.meta.dirname, '../../node_modules/@dynoxide');
  const file = join(engine, `${process.platform}-${process.arch}`, 'dynoxide');
  const db = join(stack.stateDir, 'dynamodb.db');
  const orphan = spawn(file, ['serve', '--port', String(await freePort(0)), '--db-path', db]);
  const gone = once(orphan, 'exit');
  writeFileSync(pidFile, String(orphan.pid));
  await start();
  expect(await gone).toEqual([null, 'SIGKILL']);
});

it('replaces the process id of its engine in one step: half of one names another', async () => {
  const pidFile = join(stack.stateDir, 'dynamodb.pid');
  const before = join(stack.stateDir, 'before');
  await (await start()).stop();
  linkSync(pidFile, before);
  const pid = readFileSync(before, 'utf8');
  await start();
  expect(readFileSync(before, 'utf8')).toBe(pid);
  expect(String(enginePid(stack.stateDir))).not.toBe(pid);
});

describe('a part that is killed', () => {
  it('comes back at its address with what it held: the engine of the tables', async () => {
    const { endpoints } = await start();
    await putItem(endpoints, 'before');
    await killEngineUntilAnother(stack.stateDir);
    await eventually(() => putItem(endpoints, 'after'));
    await eventually(() => expect(seenText()).toContain('after'));
    const { Count } = await callAws<{ Count: number }>(
      { endpoint: endpoints.dynamodb, service: 'dynamodb' },
      'Scan',
      { TableName: 'Tallyhook-Ledger' },
    );
    expect(Count).toBe(2);
  });

  it('comes back at its address with what it held: the thread of the queues', async () => {
    const { promise, resolve } = Promise.withResolvers<Worker>();
    process.once('worker', resolve);
    const { endpoints } = await start();
    await send(endpoints, 'Work', 'later', 2);
    await (await promise).terminate();
    await eventually(() => send(endpoints, 'Work', 'after'));
    await eventually(() => expect(seenText()).toContain('later'));
    expect(seenText()).toContain('after');
  });

  it('again and again ends the cloud, in one line', async () => {
    const { broken } = await start();
    for (let i = 0; i < 3; i += 1) await killEngineUntilAnother(stack.stateDir);
    killEngine(stack.stateDir);
    expect(await broken).toMatch(/^dynamodb ended 4 times within a minute \(.*\)$/);
  });
});

describe('the start of a local cloud is refused in one line', () => {
  const refusal = async (more: Parameters<typeof start>[0] = {}) => {
    const other = startLocalCloud({ stateDir: stack.stateDir, assembly: stack.assembly, ...more });
    const error = await other.then(
      () => expect.fail('it started'),
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(LocalFailure);
    expect(error.message).not.toContain('\n');
    if (!cloud) expect(processesOfTest()).toEqual([]);
    // The other one has an engine with its keeper, and a function once a minute.
    await eventually(async () => {
      await cloud?.killInstances('small/worker');
      expect(processesOfTest().length).toBe(cloud ? 2 : 0);
    });
    return error.message;
  };

  it('when another one uses the state', async () => {
    await start();
    expect(await refusal()).toContain('is in use by another local cloud');
  });

  it('when the port is busy', async () => {
    const server = createServer();
    const port = await listenExactly(server, 0);
    expect(await refusal({ port })).toContain(`port ${port} is busy`);
    server.close();
  });

  /** What an earlier local cloud has left. */
  async function keptState(): Promise<void> {
    await (await start()).stop();
    cloud = undefined;
  }
  const kept = (name: string) => join(stack.stateDir, name);
  /** With what SQLite keeps beside it, and could restore it from. */
  const lose = (name: string) => {
    for (const end of ['', '-shm', '-wal']) {
      rmSync(kept(`${name}${end}`), { recursive: true, force: true });
    }
  };

  it.each(['dynamodb.db', 'sqs.db', 's3.db', 'secrets.json', 'streams.json', 'tallyhook.json'])(
    'when %s is broken, and --fresh helps',
    async (name) => {
      await keptState();
      lose(name);
      writeFileSync(kept(name), 'not what it should be, and longer than a header '.repeat(20));
      const reason = await refusal();
      expect(reason).toContain(`${kept(name)} cannot be read (`);
      expect(reason).toMatch(/ --fresh starts anew$/);
      await start({ fresh: true });
    },
  );

  it.each(['dynamodb.db', 'sqs.db', 's3.db', 's3', 'secrets.json'])(
    'when %s is lost, and --fresh helps',
    async (name) => {
      await keptState();
      lose(name);
      expect(await refusal()).toBe(
        `${kept(name)} is lost or empty: put it back, or let --fresh start anew`,
      );
      await start({ fresh: true });
    },
  );

  it.each(['dynamodb.db', 'sqs.db', 's3.db', 'secrets.json'])(
    'when %s is emptied',
    async (name) => {
      await keptState();
      writeFileSync(kept(name), '');
      expect(await refusal()).toContain(`${kept(name)} is lost or empty`);
    },
  );

  it('when a secret is lost', async () => {
    await keptState();
    writeFileSync(kept('secrets.json'), '{}');
    expect(await refusal()).toContain('has lost Tallyhook-AdminKey');
    expect(readFileSync(kept('secrets.json'), 'utf8')).toBe('{}');
  });

  it('when a table is lost', async () => {
    await keptState();
    lose('dynamodb.db');
    new DatabaseSync(kept('dynamodb.db')).exec('CREATE TABLE other (id)');
    expect(await refusal()).toContain('the kept table Tallyhook-Ledger is lost');
  });

  it.each([false, true])('when the folder is not ours, with --fresh: %s', async (fresh) => {
    mkdirSync(kept('s3'), { recursive: true });
    writeFileSync(kept('s3/mine.txt'), 'mine');
    expect(await refusal({ fresh })).toContain('holds other things than the state');
    expect(readdirSync(stack.stateDir)).toEqual(['s3']);
    expect(readFileSync(kept('s3/mine.txt'), 'utf8')).toBe('mine');
  });

  it('but not when an earlier start ended before its end', async () => {
    mkdirSync(stack.stateDir);
    writeFileSync(kept('lock'), '');
    await start();
  });

  it('when the template has what the local cloud does not know', async () => {
    stack.remove();
    stack = writeSmallStack({ Topic: { Type: 'AWS::Kinesis::Stream' } });
    expect(await refusal()).toContain('AWS::Kinesis::Stream');
  });
});
