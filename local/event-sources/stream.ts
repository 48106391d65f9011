import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Activity } from '../activity.ts';
import { AwsRefusal, callAws } from '../aws-call.ts';
import { messageOf } from '../failure.ts';
import type { InvokeResult } from '../lambda/instance.ts';
import type { LocalLog } from '../log.ts';
import { matchesPattern, type Pattern } from '../pattern.ts';
import { REGION } from '../resources.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { EventSource } from './sqs.ts';
import type { StreamRecord } from './stream-batch.ts';
import { type BatchRules, deliver, type GiveUpReason, pauseMs } from './stream-batch.ts';
import { Lanes } from './stream-lanes.ts';

/** What the template says about one stream and its consumer. */
export interface StreamSourceSpec extends BatchRules {
  readonly id: string;
  readonly functionArn: string;
  readonly streamArn: string;
  readonly batchSize: number;
  readonly windowMs: number;
  readonly lanes: number;
  readonly startsAt: 'TRIM_HORIZON' | 'LATEST';
  /** A record must match one of them; none means every record. */
  readonly filters: readonly Pattern[];
}

export interface StreamSourceTools {
  readonly endpoint: string;
  readonly invoke: (event: unknown) => Promise<InvokeResult>;
  readonly checkpoints: Checkpoints;
  /** Says when to look again. */
  readonly activity: Activity;
  /** Takes the description of records that were given up. */
  readonly onFailure?: (description: object) => Promise<void>;
  readonly log: LocalLog;
}

const AFTER_ERROR_MS = 500;
const DESCRIBE_MS = 60_000;
const GET_RECORDS_MAX = 1_000;
/** Where something was written more follows: so long it gathers to one batch. */
const GATHER_MS = 40;

/** Reads all shards of a stream and invokes the consumer. Goes on where it was stopped. */
export function startStreamSource(spec: StreamSourceSpec, tools: StreamSourceTools): EventSource {
  const stopping = new AbortController();
  const readers = new Map<string, Promise<void>>();

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        for (const shard of await shardsOf(spec, tools)) {
          if (readers.has(shard)) continue;
          readers.set(shard, new ShardReader(shard, spec, tools).run(stopping.signal));
        }
      } catch (error) {
        tools.log.line('stream', messageOf(error));
      }
      const pause = readers.size === 0 ? AFTER_ERROR_MS : DESCRIBE_MS;
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
    }
    await Promise.all(readers.values());
  }

  const done = loop();
  return {
    stop() {
      stopping.abort();
      return done;
    },
  };
}

async function shardsOf(
  { streamArn }: StreamSourceSpec,
  { endpoint }: StreamSourceTools,
): Promise<string[]> {
  const { StreamDescription } = await callAws<{
    StreamDescription: { Shards: { ShardId: string }[] };
  }>({ endpoint, service: 'streams' }, 'DescribeStream', { StreamArn: streamArn });
  return StreamDescription.Shards.map(({ ShardId }) => ShardId);
}

class ShardReader {
  readonly #shard: string;
  readonly #spec: StreamSourceSpec;
  readonly #tools: StreamSourceTools;
  readonly #position: string;
  /** The last record that was read, whether it is handled or not. */
  #lastRead: string | undefined;

  constructor(shard: string, spec: StreamSourceSpec, tools: StreamSourceTools) {
    this.#shard = shard;
    this.#spec = spec;
    this.#tools = tools;
    this.#position = `${spec.id} ${spec.streamArn} ${shard}`;
    this.#lastRead = tools.checkpoints.get(this.#position);
  }

  /** Ends with the shard, or when it is stopped. */
  async run(signal: AbortSignal): Promise<void> {
    const { batchSize, lanes: count } = this.#spec;
    const { checkpoints, log } = this.#tools;
    const lanes = new Lanes(count, batchSize, {
      deliver: (records) => this.#deliver(records, signal),
      checkpoint: (sequenceNumber) => checkpoints.set(this.#position, sequenceNumber),
    });
    while (!signal.aborted) {
      try {
        if (await this.#read(lanes, signal)) break;
      } catch (error) {
        if (signal.aborted) break;
        log.line('stream', messageOf(error));
        await sleep(AFTER_ERROR_MS);
      }
    }
    await lanes.settled();
  }

  /** Reads until an error; true when the shard has ended. */
  async #read(lanes: Lanes, signal: AbortSignal): Promise<boolean> {
    const { batchSize, lanes: count, windowMs, filters } = this.#spec;
    const isWanted = (record: StreamRecord) =>
      filters.length === 0 || filters.some((pattern) => matchesPattern(pattern, record));
    let iterator: string | undefined = await this.#iterator();
    while (iterator && !signal.aborted) {
      const limit = Math.min(GET_RECORDS_MAX, batchSize * count);
      const page: RecordsPage = await this.#call('GetRecords', {
        ShardIterator: iterator,
        Limit: limit,
      });
      iterator = page.NextShardIterator;
      lanes.push(page.Records, isWanted);
      this.#lastRead = page.Records.at(-1)?.dynamodb.SequenceNumber ?? this.#lastRead;
      // A full page is followed at once, unless the lanes are behind. The window lets one fill up.
      const isBehind = lanes.size >= 2 * limit;
      if (page.Records.length === limit && !isBehind) continue;
      await this.#pause(page.Records.length > 0 ? Math.max(windowMs, GATHER_MS) : windowMs, signal);
    }
    return iterator === undefined;
  }

  async #pause(windowMs: number, signal: AbortSignal): Promise<void> {
    if (windowMs > 0) await sleep(windowMs, undefined, { signal }).catch(() => {});
    else await this.#tools.activity.pause(signal);
  }

  async #iterator(): Promise<string> {
    const { streamArn: StreamArn, startsAt } = this.#spec;
    const start = { StreamArn, ShardId: this.#shard };
    const from = (ShardIteratorType: string, SequenceNumber?: string) =>
      this.#call<{ ShardIterator: string }>('GetShardIterator', {
        ...start,
        ShardIteratorType,
        ...(SequenceNumber && { SequenceNumber }),
      });
    try {
      const { ShardIterator } = this.#lastRead
        ? await from('AFTER_SEQUENCE_NUMBER', this.#lastRead)
        : await from(startsAt);
      return ShardIterator;
    } catch (error) {
      // The stream keeps a day of records: what is older was not there to be read.
      if (!(error instanceof AwsRefusal) || !error.code.startsWith('TrimmedData')) throw error;
      return (await from('TRIM_HORIZON')).ShardIterator;
    }
  }

  #call<Answer>(operation: string, input: object): Promise<Answer> {
    return callAws({ endpoint: this.#tools.endpoint, service: 'streams' }, operation, input);
  }

  #deliver(records: readonly StreamRecord[], signal: AbortSignal): Promise<boolean> {
    const { streamArn } = this.#spec;
    return deliver(records, this.#spec, {
      signal,
      pauseMs,
      invoke: (batch) =>
        this.#tools.invoke({
          Records: batch.map((it) => ({ ...it, awsRegion: REGION, eventSourceARN: streamArn })),
        }),
      giveUp: (batch, reason) => this.#giveUp(batch, reason),
    });
  }

  async #giveUp(records: readonly StreamRecord[], condition: GiveUpReason): Promise<void> {
    const { id, functionArn, streamArn } = this.#spec;
    const { log, onFailure } = this.#tools;
    log.say('stream', `${id} gave up ${records.length} records: ${condition}`);
    const at = (record?: StreamRecord) =>
      new Date(1_000 * (record?.dynamodb.ApproximateCreationDateTime ?? 0)).toISOString();
    const description = {
      requestContext: { requestId: randomUUID(), functionArn, condition },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      version: '1.0',
      timestamp: new Date().toISOString(),
      DDBStreamBatchInfo: {
        shardId: this.#shard,
        startSequenceNumber: records[0]?.dynamodb.SequenceNumber,
        endSequenceNumber: records.at(-1)?.dynamodb.SequenceNumber,
        approximateArrivalOfFirstRecord: at(records[0]),
        approximateArrivalOfLastRecord: at(records.at(-1)),
        batchSize: records.length,
        streamArn,
      },
    };
    await onFailure?.(description).catch((error) => log.say('stream', messageOf(error)));
  }
}

interface RecordsPage {
  readonly Records: readonly StreamRecord[];
  readonly NextShardIterator?: string;
}
