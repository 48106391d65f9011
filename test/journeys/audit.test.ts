import { randomUUID } from 'node:crypto';
import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiClient, apiClient, newAccount, newTenantOf } from '../support/api.ts';
import { until } from '../support/until.ts';

const { apiUrl, adminKey, dynamodbUrl, tables } = inject('cloud');
let api: ApiClient;
let tenantId: string;
beforeAll(async () => {
  ({ api, tenantId } = await newTenantOf(apiUrl, adminKey));
});

interface Audit {
  readonly id: string;
  readonly status: string;
  readonly checked: Readonly<Record<string, number>>;
  readonly violations: Readonly<Record<string, number>>;
  readonly offenders: readonly { invariant: string; id: string; detail: string }[];
}

async function audited(): Promise<Audit> {
  const { status, body } = await api.post<Audit>('/v1/audit');
  expect([status, body.status]).toEqual([202, 'running']);
  const answer = await until(
    () => api.get<Audit>(`/v1/audit/${body.id}`),
    (it) => it.body.status !== 'running',
  );
  return answer.body;
}

describe('an audit', () => {
  let accountId: string;

  it('is clean after all kinds of movements', async () => {
    accountId = await newAccount(api, '1000');
    const other = await newAccount(api);
    const move = { sourceAccountId: accountId, destinationAccountId: other, currency: 'EUR' };
    const transfer = { type: 'transfer', ...move, amount: '200' };
    const { body } = await api.post<{ id: string }>('/v1/transactions', transfer);
    await api.post(`/v1/transactions/${body.id}/reversals`, {});
    const hold = { accountId, destinationAccountId: other, amount: '100', currency: 'EUR' };
    const held = [
      await api.post<{ id: string }>('/v1/holds', hold),
      await api.post<{ id: string }>('/v1/holds', hold),
    ].map((it) => it.body.id);
    await api.post(`/v1/holds/${held[0]}/capture`, { amount: '60' });
    await api.post(`/v1/holds/${held[1]}/void`);

    const audit = await audited();

    expect(audit.offenders).toEqual([]);
    expect(audit).toMatchObject({
      object: 'audit',
      status: 'clean',
      checked: { accounts: 2, transactions: 4, holds: 3, events: 7 },
      violations: { L1: 0, L2: 0, L3: 0, L4: 0, L5: 0, O1: 0 },
      undecided: 0,
      finishedAt: expect.any(String),
    });
  });

  it('names the account whose stored balance somebody has changed', async () => {
    const client = new DynamoDBClient({
      endpoint: dynamodbUrl,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    await client.send(
      new UpdateItemCommand({
        TableName: tables.ledger,
        Key: { pk: { S: `${tenantId}#${accountId}` }, sk: { S: '#' } },
        UpdateExpression: 'SET cr = cr + :more, avail = avail + :more',
        ExpressionAttributeValues: { ':more': { N: '5' } },
      }),
    );

    const audit = await audited();

    expect(audit.status).toBe('violated');
    expect(audit.violations).toMatchObject({ L1: 0, L2: 0, L3: 1, L4: 0, L5: 0, O1: 0 });
    expect(audit.offenders).toEqual([
      {
        invariant: 'L3',
        id: accountId,
        detail:
          'as stored: the balance is 945 and should be 940; credits is 1205 and should be 1200',
      },
    ]);
  });

  it('is listed, and another tenant does not see it', async () => {
    const { body } = await api.get<{ data: readonly Audit[] }>('/v1/audit');
    expect(body.data.map((it) => it.status)).toEqual(['violated', 'clean']);
    const stranger = await newTenantOf(apiUrl, adminKey);
    const answer = await stranger.api.get(`/v1/audit/${body.data[0]?.id}`);
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  });

  it('is made once per Idempotency-Key', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await api.post('/v1/audit', undefined, headers);
    const second = await api.post('/v1/audit', undefined, headers);

    expect(second.status).toBe(202);
    expect(second.body.id).toBe(first.body.id);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
  });

  it('needs its own scopes: reading and writing', async () => {
    const scopes = ['audit:read', 'ledger:write'];
    const { body } = await api.post<{ key: string }>('/v1/keys', { name: 'Reader', scopes });
    const reader = apiClient(apiUrl, body.key);
    const refused = await reader.post('/v1/audit');

    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden_scope']);
    expect((await reader.get('/v1/audit')).status).toBe(200);
  });
});
