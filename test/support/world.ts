import { randomBytes } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { inject } from 'vitest';
import { openDb, type Units } from '../../functions/shared/aws/db.ts';
import type { Bucket } from '../../functions/shared/bucket.ts';
import { openIds } from '../../functions/shared/ids/ulid.ts';
import { type InstanceMeters, openMeters } from '../../functions/shared/meters.ts';
import type {
  Clock,
  Ids,
  LogFields,
  Message,
  QueueName,
  Queues,
  TableName,
  World,
} from '../../functions/shared/world.ts';
import { engineClient } from './engine-client.ts';
import { createTables } from './tables.ts';

/** A Saturday, and not near a minute's end. */
export const NOON_MS = Date.UTC(2026, 10, 21, 12, 0, 10);

export interface TestClock extends Clock {
  set(ms: number): void;
  advance(ms: number): void;
}

export interface SentMessage extends Message {
  readonly queue: QueueName;
}

export interface LogLine extends LogFields {
  readonly event: string;
}

/** The doors of a test: the real engine behind `db`, and a clock that the test turns. */
export interface TestWorld extends Omit<World, 'http' | 'bucket' | 'deadLetters'> {
  readonly clock: TestClock;
  readonly ids: Ids;
  readonly meters: InstanceMeters;
  readonly tables: Readonly<Record<TableName, string>>;
  readonly client: DynamoDBClient;
  /** What was sent to queues and not yet taken. */
  readonly sent: SentMessage[];
  /** What was put among the dead letters of queues. */
  readonly parked: SentMessage[];
  readonly lines: LogLine[];
  /** Cost of each call, as the engine reports it. */
  readonly units: Units[];
  readonly objects: Map<string, Uint8Array>;
  readonly bucket: Bucket;
  /** Sum of the write units since the last call. */
  takeUnits(): number;
}

/** A fresh set of tables on the run's engine. One per test file is enough: tenants are fresh. */
export async function testWorld(): Promise<TestWorld> {
  const client = engineClient(inject('engineUrl'));
  const prefix = `t${randomBytes(6).toString('hex')}`;
  const tables = await createTables(client, inject('tableSpecs'), prefix);
  const units: Units[] = [];
  const sent: SentMessage[] = [];
  const parked: SentMessage[] = [];
  const lines: LogLine[] = [];
  const objects = new Map<string, Uint8Array>();
  const clock = testClock();
  const log = (event: string, fields: LogFields = {}) => void lines.push({ event, ...fields });
  return {
    clock,
    ids: openIds(() => clock.nowMs()),
    log: { info: log, warn: log, error: log },
    metrics: { count: () => undefined },
    meters: openMeters('tests', () => undefined),
    db: openDb({ client, tables, onUnits: (it) => units.push(it) }),
    queues: listedQueues(sent),
    deadLetterQueues: listedQueues(parked),
    bucket: memoryBucket(objects),
    secrets: { read: async (name) => `${name}-of-the-tests-0123456789abcdef` },
    tables,
    client,
    sent,
    parked,
    lines,
    units,
    objects,
    takeUnits: () =>
      units
        .splice(0)
        .flatMap((it) => it.consumed)
        .reduce((sum, it) => sum + (it.CapacityUnits ?? 0), 0),
  };
}

/** Takes everything, and keeps it in a list. */
function listedQueues(sent: SentMessage[]): Queues {
  return {
    async send(queue, messages) {
      sent.push(...messages.map((it) => ({ ...it, queue })));
      return [];
    },
  };
}

/** Starts at noon; sleeping is instant and moves it. */
export function testClock(startMs = NOON_MS): TestClock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
    set: (ms) => {
      nowMs = ms;
    },
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

function memoryBucket(objects: Map<string, Uint8Array>): Bucket {
  return {
    name: 'tests',
    async put(key, body) {
      // Whoever stores it may use its memory for other things then.
      objects.set(key, Uint8Array.from(body));
    },
    async read(key, { start = 0, end } = {}) {
      const body = objects.get(key);
      return (
        body &&
        (async function* chunks() {
          yield body.subarray(start, end);
        })()
      );
    },
    async stat(key) {
      const body = objects.get(key);
      return body && { bytes: body.length };
    },
    async listVersions(prefix) {
      const keys = [...objects.keys()].filter((it) => it.startsWith(prefix)).sort();
      return { versions: keys.map((key) => ({ key, versionId: undefined, modifiedMs: 0 })) };
    },
  };
}

/** A new tenant's id, so that tests of one file do not see each other. */
export function newTenant({ ids }: Pick<World, 'ids'>): `ten_${string}` {
  return ids.next('ten');
}
