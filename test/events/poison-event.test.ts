import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTableCommand, DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { eventKey, insertEvent } from '../../functions/events/event.store.ts';
import { openDb } from '../../functions/shared/aws/db.ts';
import { stream } from '../../functions/shared/aws/stream.ts';
import type { Item } from '../../functions/shared/world.ts';
import { relayRecords } from '../../functions/webhooks/relay-records.ts';
import { rememberSets } from '../../functions/webhooks/remember-endpoints.ts';
import { Activity } from '../../local/activity.ts';
import { Checkpoints } from '../../local/event-sources/checkpoints.ts';
import type { EventSource } from '../../local/event-sources/sqs.ts';
import { type StreamSourceSpec, startStreamSource } from '../../local/event-sources/stream.ts';
import { streamSpec } from '../../local/mappings.ts';
import { at, ofType, refersTo, resourcesWith } from '../support/stack.ts';
import { useStillTime } from '../support/still-time.ts';
import { eventually } from '../support/until.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint } from '../webhooks/delivery-world.ts';

useStillTime();

let world: DeliveryWorld;
let source: EventSource;
let checkpoints: Checkpoints;
/** The sequence numbers that were parked, as the queue is told. */
const parked: string[] = [];

/** The source of the relay as the template says it. */
function relaySource() {
  const resources = resourcesWith();
  const [relay] = ofType(resources, 'Lambda::Function').find(
    ([, { Properties }]) => Properties.Description === 'Tallyhook webhooks/on-outbox',
  ) ?? [''];
  const sources = ofType(resources, 'Lambda::EventSourceMapping');
  const [id, found] = sources.find(([, it]) => refersTo(it.Properties.FunctionName, relay)) ?? [];
  if (!id || !found) throw new Error('the relay has no source');
  return { resources, id, properties: found.Properties };
}

function specOf(streamArn: string): StreamSourceSpec {
  const { id, properties } = relaySource();
  const resource = { id, type: 'AWS::Lambda::EventSourceMapping', properties };
  const facts = { id, isEnabled: true, functionName: 'relay', sourceArn: streamArn };
  return streamSpec({ ...facts, onFailureArn: undefined, resource }, 'arn:relay');
}

/** An outbox with a stream, on the engine. */
async function streamedOutbox({ client }: DeliveryWorld): Promise<{ name: string; arn: string }> {
  const name = `poisoned-${Date.now()}`;
  const keys = ['pk', 'sk', 'listingPk', 'listingSk'];
  const schema = ([hash = '', range = '']: string[]) => [
    { AttributeName: hash, KeyType: 'HASH' as const },
    { AttributeName: range, KeyType: 'RANGE' as const },
  ];
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: keys.map((it) => ({ AttributeName: it, AttributeType: 'S' as const })),
      KeySchema: schema(keys),
      GlobalSecondaryIndexes: [
        {
          ...{ IndexName: 'listing', KeySchema: schema(keys.slice(2)) },
          Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['type'] },
        },
      ],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
    }),
  );
  const { Table } = await client.send(new DescribeTableCommand({ TableName: name }));
  return { name, arn: Table?.LatestStreamArn ?? '' };
}

beforeAll(async () => {
  const base = await deliveryWorld();
  const { name, arn } = await streamedOutbox(base);
  const db = openDb({ client: base.client, tables: { ...base.tables, outbox: name } });
  world = { ...base, db, endpointSets: rememberSets({ db }) };
  const handler = stream(world, relayRecords);
  checkpoints = new Checkpoints(join(tmpdir(), `${name}.json`));
  source = startStreamSource(
    // One retry instead of the twenty that the template says, which take minutes.
    { ...specOf(arn), retriesMax: 1 },
    {
      endpoint: inject('engineUrl'),
      checkpoints,
      activity: new Activity(),
      invoke: async (event) => {
        try {
          return { ok: true, result: await handler(event as never, {} as never) };
        } catch (error) {
          return { ok: false, failure: { errorType: 'E', errorMessage: String(error) } };
        }
      },
      onFailure: async (description) => {
        parked.push(String(at(description, 'DDBStreamBatchInfo.startSequenceNumber')));
      },
      log: { file: '', line: () => {}, say: () => {}, follow: () => {}, close: async () => {} },
    },
  );
});
afterAll(() => source.stop());
// The source takes its pauses by the clock of the machine, and nothing is sent here.
beforeEach(() => void vi.useRealTimers());

/** An event of this tenant in the outbox, with some of its fields damaged. */
async function put(tenantId: string, damage: Item = {}, type = 'order.paid'): Promise<string> {
  const id = world.ids.next('evt');
  const write = insertEvent({ id, tenantId, type, occurredAtMs: 0, data: '{"n":1}' });
  if (write.kind !== 'put') throw new Error('an event is put');
  await world.db.commit([{ ...write, item: { ...write.item, ...damage } }]);
  return id;
}

const messagesOf = (eventId: string) => world.sent.filter((it) => it.body.event === eventId);
const isMarked = async (tenantId: string, id: string) =>
  (await world.db.get('outbox', eventKey(tenantId, id)))?.relayedAt !== undefined;

describe('a poison event in the stream', () => {
  it.each([
    ['without a time', { ts: undefined }],
    ['whose tenant is a number', { tenant: 7 }],
    ['whose id is none', { id: 'evt' }],
    ['whose data is cut', { data: '{"n":' }],
    ['whose data is gone', { data: undefined }],
    ['of ours, whose data is cut', { data: '{"endpointId":"end_', type: 'delivery.exhausted' }],
  ])('is parked, and lets the others pass: one %s', async (_, damage) => {
    const { tenantId } = await newEndpoint(world, 'http://127.0.0.1:1');
    const before = parked.length;
    const early = await Promise.all([put(tenantId), put(tenantId)]);
    await put(tenantId, damage);
    const late = await Promise.all([put(tenantId), put(tenantId), put(tenantId)]);
    for (const id of [...early, ...late]) {
      await eventually(async () => expect(await isMarked(tenantId, id)).toBe(true));
      expect(messagesOf(id).length).toBeGreaterThan(0);
    }
    await eventually(() => expect(parked).toHaveLength(before + 1));
  });

  it('is none when only an endpoint is damaged: the others get theirs', async () => {
    const good = await newEndpoint(world, 'http://127.0.0.1:1');
    const { tenantId } = good;
    const damaged = await newEndpoint(world, 'http://127.0.0.1:1', { tenantId });
    const key = { pk: tenantId, sk: damaged.id };
    const spoil = { kind: 'update', table: 'endpoints', key, update: 'REMOVE #url' } as const;
    await world.db.commit([{ ...spoil, names: { '#url': 'url' } }]);
    const before = parked.length;
    const id = await put(tenantId);
    const other = await newEndpoint(world, 'http://127.0.0.1:1');
    const later = await put(other.tenantId);
    await eventually(async () => expect(await isMarked(other.tenantId, later)).toBe(true));
    await eventually(() => expect(messagesOf(id)).toHaveLength(1));
    expect(messagesOf(id)[0]?.body.endpoint).toBe(good.id);
    // It is left to the reconciler, which calls a person by its age.
    expect(await isMarked(tenantId, id)).toBe(false);
    expect(parked).toHaveLength(before);
  });
});

describe('the source of the relay', () => {
  it('is set as the design says, and parks with an alarm', () => {
    const { resources, properties } = relaySource();
    expect(properties).toMatchObject({
      StartingPosition: 'TRIM_HORIZON',
      BatchSize: 100,
      MaximumBatchingWindowInSeconds: 0,
      ParallelizationFactor: 2,
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 20,
      MaximumRecordAgeInSeconds: 6 * 3_600,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
    const patterns = [at(properties, 'FilterCriteria.Filters')].flat();
    expect(patterns.map((it) => JSON.parse(String(at(it, 'Pattern'))))).toEqual([
      { eventName: ['INSERT'], dynamodb: { Keys: { sk: { S: [{ prefix: 'ten_' }] } } } },
    ]);
    const destination = at(properties, 'DestinationConfig.OnFailure.Destination');
    const [queue] = ofType(resources, 'SQS::Queue').find(([id]) => refersTo(destination, id)) ?? [];
    const alarms = ofType(resources, 'CloudWatch::Alarm').filter(([, it]) =>
      refersTo(it.Properties.Dimensions, queue ?? ''),
    );
    expect(alarms.map(([, it]) => it.Properties.Threshold)).toEqual([1]);
  });
});
