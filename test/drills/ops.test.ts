import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PARKED_NAMES } from '../../functions/operations/dead-letter.ts';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { newAccount } from '../support/api.ts';
import { newStateDir } from '../support/state-dir.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

const LOCAL = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
};

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as an operator calls it, on this cloud. */
async function ops(...args: readonly string[]): Promise<Ended> {
  const { dynamodb, secrets } = cloud?.endpoints ?? { dynamodb: '', secrets: '' };
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    TALLYHOOK_API: cloud?.apiUrl,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets,
  };
  delete env.TALLYHOOK_ADMIN_KEY;
  try {
    const { stdout, stderr } = await promisify(execFile)('node', ['bin/ops.ts', ...args], { env });
    return { code: 0, stdout, stderr };
  } catch (error) {
    return error as Ended;
  }
}

let stateDir: string;
let cloud: LocalCloud;
let tenant: TenantWithReceiver;
let isWell = true;
beforeAll(async () => {
  stateDir = await newStateDir('ops');
  cloud = await startLocalCloud({ stateDir });
  const endpoint = { eventTypes: ['order.*'], retry: { maxAttempts: 1, schedule: [0.5] } };
  const decide = () => (isWell ? undefined : { status: 500 });
  tenant = await tenantWithReceiver(cloud, endpoint, { decide });
});
afterAll(async () => {
  await tenant?.receiver.close();
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

async function park(queue: string, body: string): Promise<void> {
  const QueueUrl = cloud.variable(`PARKED_${queue.toUpperCase().replaceAll('-', '_')}`);
  const client = new SQSClient({ ...LOCAL, endpoint: cloud.endpoints.sqs });
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: body }));
}

describe('npm run ops', () => {
  it('says what it knows, and helps with each command', async () => {
    const { code, stdout } = await ops('--help');
    expect(code).toBe(0);
    const names = [...stdout.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name]) => name);
    expect(names.join(' ')).toBe('doctor redrive drop resend rebuild rotate tables audit');
    const helps = await Promise.all(names.map((name) => ops(String(name), '--help')));
    for (const [at, help] of helps.entries()) {
      expect(help.stdout, help.stderr).toMatch(new RegExp(`^Usage: npm run ops -- ${names[at]}`));
      expect(help.stdout).toContain('--dry-run');
    }
  });

  it.each([
    [['cure'], 'there is no command cure; --help lists them'],
    [['doctor', '--fast'], "Unknown option '--fast'"],
    [['doctor', 'now'], 'what is now? See --help'],
    [['redrive', 'audits', 'tasks'], 'what is tasks? See --help'],
    [['drop', 'audits', 'x', 'y', '--reason', 'no'], 'what is y? See --help'],
    [['rotate', 'cursor-key', 'admin-key'], 'what is admin-key? See --help'],
    [['rebuild', 'statements', 'x'], 'what is x? See --help'],
    [['resend', 'evt_1', 'evt_2', '--tenant', 'ten_1'], 'what is evt_2? See --help'],
    [
      ['resend', '--endpoint', 'end_1', '--force', '--tenant', 'ten_1'],
      '--force is for one delivery, or those of an event',
    ],
    [['resend', 'evt_1', '--type', 'a', '--tenant', 'ten_1'], '--type goes with --endpoint'],
    [['audit', '--live', '--tenant', 'ten_1'], '--live goes with --repair'],
    [['redrive'], `name a queue: ${PARKED_NAMES.join(', ')}`],
    [['redrive', 'nowhere'], 'there is no queue nowhere: delivery-fast'],
    [['redrive', 'unrelayed'], 'unrelayed holds positions in the event stream'],
    [['redrive', 'audits', '--rate', '0'], '--rate is a whole number from 1 on'],
    [['drop', 'audits', 'x'], 'say why: --reason TEXT'],
    [['drop', 'audits', '--reason', 'no'], 'name one message, or all of them by --all'],
    [['drop', 'audits', 'x', '--reason', 'no'], 'not_found: There is no such dead letter'],
    [['resend', 'evt_1'], 'say whose they are: --tenant ID'],
    [['resend', 'txn_1', '--tenant', 'ten_1'], 'txn_1 is no delivery (dlv_…) and no event (evt_…)'],
    [['rebuild'], 'say what to rebuild: statements'],
    [['audit'], 'say whose: --tenant ID'],
    [['audit', '--repair'], 'say which tables: --restored NAME, or --live for'],
    [['audit', '--tenant', `ten_${'0'.repeat(26)}`], 'not_found'],
    [['doctor', '--aws', '--dynamodb', 'http://127.0.0.1'], '--aws goes without --dynamodb'],
    [['rotate', 'admin-key', '--aws'], 'say which stack: --stack Tallyhook-prod, or'],
    [['redrive', 'all', '--api', 'http://127.0.0.1:9'], 'http://127.0.0.1:9 does not answer'],
    [['tables', '--dynamodb', 'http://127.0.0.1:9'], 'nothing answers at 127.0.0.1:9'],
  ])('refuses %j in one line', async (args, line) => {
    const { code, stdout, stderr } = await ops(...args);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^ops: .+\n$/);
    expect(stderr).toContain(line);
    expect(code).toBe(2);
  });
});

describe('doctor', () => {
  const down = 'http://127.0.0.1:9';

  it('refuses a stack without any table, and tells what it saw before', async () => {
    const { code, stdout, stderr } = await ops('doctor', '--stack', 'Elsewhere');
    expect(stdout).toMatch(/^ok {4}health +build /);
    expect(stdout).toMatch(/^LOOK {2}dead letters +could not be asked: Elsewhere has 0 .+\n$/m);
    expect(stdout).not.toMatch(/unrelayed events|Nobody is needed/);
    expect(stderr).toMatch(/^ops: Elsewhere has no table control.+\n$/);
    expect(code).toBe(2);
  });

  it('looks at the tables while the API does not answer', async () => {
    // The first ticks of a cloud may still be under way.
    const { code, stdout } = await until(
      () => ops('doctor', '--api', down),
      (it) => !it.stdout.includes('has not run yet'),
    );
    expect(code).toBe(1);
    expect(stdout).toContain(
      `LOOK  the API            could not be asked: ${down} does not answer`,
    );
    expect(stdout).toMatch(/^LOOK {2}dead letters +could not be asked/m);
    expect(stdout).toMatch(/^ok {4}unrelayed events +none/m);
    expect(stdout).toMatch(/^ok {4}due in tasks +/m);
  });

  it('asks the API while the tables do not answer', async () => {
    const { code, stdout } = await ops('doctor', '--dynamodb', down);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ok {4}health +build /m);
    expect(stdout).toMatch(/^LOOK {2}due in tasks +could not be asked/m);
  });
});

describe('dead letters', () => {
  it('call for a person, are sent again, and are dropped with a reason', async () => {
    const well = await until(
      () => ops('doctor'),
      (it) => it.code === 0,
    );
    expect(well.stdout).toContain(`dead letters       none in ${PARKED_NAMES.length} queues`);
    expect(well.stdout).toMatch(/^ok {2}health +build /m);
    expect([well.code, well.stdout.split('\n').at(-2)]).toEqual([0, 'Nobody is needed.']);

    const nothing = { v: 1, pk: tenant.tenantId, sk: 'AUD#aud_0', step: 0 };
    await park('audits', JSON.stringify(nothing));
    await park('tasks', 'no message');
    const ill = await ops('doctor');
    expect(ill.code).toBe(1);
    expect(ill.stdout).toMatch(/^LOOK {2}dead letters audits +1, one of 20/m);
    expect(ill.stdout).toContain('mend the cause, then npm run ops -- redrive audits');

    const dry = await ops('redrive', 'audits', '--dry-run', '--rate', '50');
    expect(dry.stdout).toBe('audits: 1 would be sent again\n');
    expect((await ops('redrive', 'audits', '--rate', '50')).stdout).toBe('audits: 1 sent again\n');
    expect((await ops('redrive', 'audits')).stdout).toBe('audits: no dead letters\n');

    const reason = ['--reason', 'made by a test'];
    const would = await ops('drop', 'tasks', '--all', '--dry-run', ...reason);
    expect(would.stdout).toBe('tasks: all 1 would be deleted: made by a test\n');
    expect((await ops('drop', 'tasks', '--all', ...reason)).stdout).toBe('tasks: 1 deleted\n');
    await until(
      () => ops('doctor'),
      (it) => it.code === 0,
    );
  });
});

describe('webhooks', () => {
  it('are sent again: one, those of an event, and those of an endpoint', async () => {
    const { api, tenantId, endpointId, receiver } = tenant;
    isWell = false;
    const from = new Date(Date.now() - 60_000).toISOString();
    const send = async (n: number) => {
      const { body } = await api.post<{ id: string }>('/v1/events', {
        type: 'order.paid',
        data: { n },
      });
      return body.id;
    };
    const events = [await send(1), await send(2), await send(3)];
    const listed = await until(
      () =>
        api.get<{ data: { id: string; eventId: string }[] }>(
          `/v1/deliveries?endpointId=${endpointId}&status=exhausted`,
        ),
      ({ body }) => body.data.length === events.length,
    );
    isWell = true;
    const first = listed.body.data.find((it) => it.eventId === events[0])?.id ?? '';
    const seen = receiver.received.length;

    const of = ['--tenant', tenantId];
    const dry = await ops('resend', first, ...of, '--dry-run');
    expect(dry.stdout).toBe(`${first}  order.paid  exhausted  would be asked for\n`);
    expect(receiver.received.length).toBe(seen);
    const one = await ops('resend', first, ...of);
    expect(one.stdout).toBe(`${first}  order.paid  exhausted  sent again\n`);
    expect((await ops('resend', events[1] ?? '', ...of)).stdout).toContain('sent again');
    await until(
      () => tenant.accepted().length,
      (it) => it === 2,
    );
    // What was accepted is not on record yet.
    await until(
      () => api.get<{ data: object[] }>(`/v1/deliveries?endpointId=${endpointId}&status=delivered`),
      ({ body }) => body.data.length === 2,
    );
    const again = await ops('resend', first, ...of);
    expect(again.stdout).toContain('delivered  not_retryable: ');
    expect(again.code).toBe(1);
    const range = ['--endpoint', endpointId, '--from', from];
    const would = await ops('resend', ...range, ...of, '--dry-run');
    expect(would.stdout).toContain('1 would be sent again');
    expect((await ops('resend', ...range, ...of)).stdout).toMatch(/ is done: 1 of 1 sent again\n$/);
    await until(
      () => tenant.accepted().length,
      (it) => it === 3,
    );
    const nothing = await ops('resend', ...range, ...of);
    expect([nothing.code, nothing.stdout]).toEqual([
      1,
      expect.stringMatching(/: 0 of 0 sent again/),
    ]);
    const { body } = await api.get<{ data: { name: string; status: string }[] }>('/v1/keys');
    const made = body.data.filter(({ name }) => name === 'npm run ops -- resend');
    expect(made.map(({ status }) => status)).toEqual(Array(7).fill('revoked'));
  });
});

describe('an audit', () => {
  it('is waited for, and calls for a person when it finds something', async () => {
    const { api, tenantId } = tenant;
    const none = await ops('audit', '--tenant', tenantId, '--dry-run');
    expect([none.code, none.stdout]).toEqual([0, 'there was no audit yet\n']);
    const accountId = await newAccount(api, '1000');
    await until(
      () => api.get(`/v1/accounts/${accountId}/entries`),
      ({ body }) => body.upToSeq === 1,
    );
    const clean = await ops('audit', '--tenant', tenantId);
    expect(clean.stdout).toMatch(/^aud_\w+ of \S+ is clean\nlooked at 1 accounts, \d entries/);
    expect(clean.code).toBe(0);

    const client = new DynamoDBClient({ ...LOCAL, endpoint: cloud.endpoints.dynamodb });
    await client.send(
      new UpdateItemCommand({
        TableName: cloud.table('ledger'),
        Key: { pk: { S: `${tenantId}#${accountId}` }, sk: { S: '#' } },
        UpdateExpression: 'SET cr = cr + :more',
        ExpressionAttributeValues: { ':more': { N: '5' } },
      }),
    );
    const violated = await ops('audit', '--tenant', tenantId);
    expect(violated.code).toBe(1);
    expect(violated.stdout).toContain('violated: L3 1');
    expect(violated.stdout).toMatch(
      new RegExp(`^L3 {2}${accountId} {2}as stored: the available`, 'm'),
    );
    const latest = await ops('audit', '--tenant', tenantId, '--dry-run');
    expect([latest.code, latest.stdout]).toEqual([1, violated.stdout]);
  });
});

describe('the keys of cursors and of the operator', () => {
  it('get another value, which is not shown', async () => {
    const dry = await ops('rotate', 'cursor-key', '--dry-run');
    expect(dry.stdout).toMatch(/CursorKey\S* would get another value\n$/);
    const cursor = await ops('rotate', 'cursor-key');
    expect(cursor.stdout).toMatch(/CursorKey\S* has another value; functions use it within five/);
    const admin = await ops('rotate', 'admin-key');
    expect(admin.stdout).toMatch(/AdminKey\S* has another value/);
    // Functions that have not read it yet take the new one at once.
    await Promise.all(['operations/admin-api', 'tenants/api'].map((it) => cloud.killInstances(it)));
    expect((await ops('redrive', 'all')).stdout).toBe(
      'no queue has dead letters that can be sent again\n',
    );
  });
});
