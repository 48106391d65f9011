import { setTimeout as sleep } from 'node:timers/promises';
import type { InvokeResult } from '../lambda/instance.ts';

/** A record as DynamoDB Streams answers it. */
export interface StreamRecord {
  readonly eventName: string;
  readonly dynamodb: {
    readonly SequenceNumber: string;
    readonly Keys: Readonly<Record<string, unknown>>;
    /** Seconds since 1970. */
    readonly ApproximateCreationDateTime: number;
  };
}

export interface BatchRules {
  readonly bisects: boolean;
  /** `-1` for as long as the records live. */
  readonly retriesMax: number;
  /** `-1` for as long as the stream keeps them. */
  readonly ageSecondsMax: number;
  readonly reportsFailures: boolean;
}

export type GiveUpReason = 'RetryAttemptsExhausted' | 'RecordAgeExceeded';

export interface BatchTools {
  readonly invoke: (records: readonly StreamRecord[]) => Promise<InvokeResult>;
  /** Records that will not be tried again. */
  readonly giveUp: (records: readonly StreamRecord[], reason: GiveUpReason) => Promise<void>;
  readonly signal: AbortSignal;
  /** The pause before a retry, by the number of failures so far. */
  readonly pauseMs: (failures: number) => number;
}

interface Part {
  readonly records: readonly StreamRecord[];
  readonly failures: number;
}

/** Doubling from 0.1 s to 10 s. */
export const pauseMs = (failures: number): number => Math.min(100 * 2 ** (failures - 1), 10_000);

/**
 * Delivers records in order until each is handled or given up. Without progress a failed batch is
 * split, which does not count as a retry, until the record that fails stands alone.
 * Resolves to false when it was stopped before that.
 */
export async function deliver(
  records: readonly StreamRecord[],
  rules: BatchRules,
  tools: BatchTools,
): Promise<boolean> {
  const parts: Part[] = [{ records, failures: 0 }];
  for (let part = parts.shift(); part; part = parts.shift()) {
    if (tools.signal.aborted) return false;
    const young = await withoutOld(part.records, rules, tools);
    if (young.length === 0) continue;
    const left = leftOver(young, await tools.invoke(young), rules);
    if (left.length === 0) continue;
    // The failure may be ours, because we are stopping: then it says nothing about the records.
    if (tools.signal.aborted) return false;
    const failures = left.length < young.length ? 1 : part.failures + 1;
    if (rules.bisects && left.length > 1) {
      parts.unshift(...halves(left).map((half) => ({ records: half, failures: part.failures })));
    } else if (rules.retriesMax >= 0 && failures > rules.retriesMax) {
      await tools.giveUp(left, 'RetryAttemptsExhausted');
    } else {
      parts.unshift({ records: left, failures });
      await sleep(tools.pauseMs(failures), undefined, { signal: tools.signal }).catch(() => {});
    }
  }
  return true;
}

async function withoutOld(
  records: readonly StreamRecord[],
  { ageSecondsMax }: BatchRules,
  { giveUp }: BatchTools,
): Promise<readonly StreamRecord[]> {
  if (ageSecondsMax < 0) return records;
  const oldest = Date.now() / 1_000 - ageSecondsMax;
  const isOld = ({ dynamodb }: StreamRecord) => dynamodb.ApproximateCreationDateTime < oldest;
  const old = records.filter(isOld);
  if (old.length > 0) await giveUp(old, 'RecordAgeExceeded');
  return records.filter((record) => !isOld(record));
}

/** Everything from the first record that failed. An unknown sequence number fails the batch. */
function leftOver(
  records: readonly StreamRecord[],
  outcome: InvokeResult,
  { reportsFailures }: BatchRules,
): readonly StreamRecord[] {
  if (!outcome.ok) return records;
  const result = outcome.result as { batchItemFailures?: { itemIdentifier: string }[] } | null;
  const failed = reportsFailures ? (result?.batchItemFailures ?? []) : [];
  if (failed.length === 0) return [];
  const places = failed.map(({ itemIdentifier }) =>
    records.findIndex(({ dynamodb }) => dynamodb.SequenceNumber === itemIdentifier),
  );
  return records.slice(Math.max(0, Math.min(...places)));
}

function halves<Element>(list: readonly Element[]): readonly (readonly Element[])[] {
  const middle = Math.ceil(list.length / 2);
  return [list.slice(0, middle), list.slice(middle)];
}
