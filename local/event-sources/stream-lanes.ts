import { createHash } from 'node:crypto';
import type { StreamRecord } from './stream-batch.ts';

interface Entry {
  readonly sequenceNumber: string;
  isDone: boolean;
}

interface Lane {
  readonly records: StreamRecord[];
  /** Present while the lane works; it stays after a stop. */
  work: Promise<void> | undefined;
}

export interface LaneTools {
  /** Resolves to whether the records are finished with; false stops the lane. */
  readonly deliver: (records: readonly StreamRecord[]) => Promise<boolean>;
  /** Everything up to this sequence number is finished with. */
  readonly checkpoint: (sequenceNumber: string) => void;
}

/**
 * The records of a shard in parallel lanes: those of one item stay in one lane and in order. A
 * slow lane holds up the checkpoint, but not its neighbours.
 */
export class Lanes {
  readonly #lanes: readonly Lane[];
  readonly #batchSize: number;
  readonly #tools: LaneTools;
  readonly #open: Entry[] = [];
  readonly #entries = new Map<string, Entry>();

  constructor(count: number, batchSize: number, tools: LaneTools) {
    this.#lanes = Array.from({ length: count }, () => ({ records: [], work: undefined }));
    this.#batchSize = batchSize;
    this.#tools = tools;
  }

  /** Records that are not finished with. */
  get size(): number {
    return this.#open.length;
  }

  /** Takes records in the order of the stream; those that `isWanted` refuses are passed over. */
  push(records: readonly StreamRecord[], isWanted: (record: StreamRecord) => boolean): void {
    for (const record of records) {
      const entry = { sequenceNumber: record.dynamodb.SequenceNumber, isDone: false };
      this.#open.push(entry);
      this.#entries.set(entry.sequenceNumber, entry);
      if (!isWanted(record)) this.#finish([record]);
      else this.#lanes[laneOf(record, this.#lanes.length)]?.records.push(record);
    }
    for (const lane of this.#lanes) {
      if (lane.records.length > 0) lane.work ??= this.#run(lane);
    }
  }

  /** Resolves when a lane has stopped, or all are empty. */
  async settled(): Promise<void> {
    await Promise.all(this.#lanes.map(({ work }) => work));
  }

  async #run(lane: Lane): Promise<void> {
    while (lane.records.length > 0) {
      const batch = lane.records.splice(0, this.#batchSize);
      if (!(await this.#tools.deliver(batch))) return;
      this.#finish(batch);
    }
    lane.work = undefined;
  }

  #finish(records: readonly StreamRecord[]): void {
    for (const { dynamodb } of records) {
      const entry = this.#entries.get(dynamodb.SequenceNumber);
      if (entry) entry.isDone = true;
    }
    let passed: Entry | undefined;
    while (this.#open[0]?.isDone) {
      passed = this.#open.shift();
      if (passed) this.#entries.delete(passed.sequenceNumber);
    }
    if (passed) this.#tools.checkpoint(passed.sequenceNumber);
  }
}

function laneOf({ dynamodb }: StreamRecord, count: number): number {
  if (count === 1) return 0;
  const hash = createHash('md5').update(JSON.stringify(dynamodb.Keys)).digest();
  return hash.readUInt32BE(0) % count;
}
