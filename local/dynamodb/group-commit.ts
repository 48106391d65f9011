import { setTimeout as sleep } from 'node:timers/promises';
import type { AwsAnswer } from '../aws-call.ts';

/** Calls the engine: an operation of DynamoDB and its input as JSON. */
export type CallEngine = (operation: string, body: string) => Promise<AwsAnswer>;

/** PutItem, UpdateItem or DeleteItem of which the caller wants to know only whether it was done. */
export interface PlainWrite {
  readonly operation: string;
  readonly body: string;
  /** The members that a write of a transaction has too. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Names the item: two writes of one are never in one group. */
  readonly name: string;
}

interface Waiting extends PlainWrite {
  readonly answer: (answer: Promise<AwsAnswer> | AwsAnswer) => void;
}

interface CancellationReason {
  readonly Code: string;
  readonly Item?: object;
}

/** Quota of TransactWriteItems. */
const GROUP_MAX = 100;
const GROUP_CHARACTERS_MAX = 1_000_000;
/** So long the first of a group waits for others. */
const GATHER_MS = 2;

const DONE: AwsAnswer = { status: 200, body: '{}' };

/**
 * Commits writes of many callers together. The engine waits for the disk at each commit, and a
 * transaction of a hundred writes waits no longer than one. Each write is answered as if it had
 * been alone, and after its commit: one whose condition fails is refused, and those beside it are
 * done by the next group.
 */
export class GroupCommit {
  readonly #call: CallEngine;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(call: CallEngine) {
    this.#call = call;
  }

  /** Resolves to the answer of the engine; rejects when it has none. */
  write(write: PlainWrite): Promise<AwsAnswer> {
    return new Promise((answer) => {
      this.#waiting.push({ ...write, answer });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await sleep(GATHER_MS);
    while (this.#waiting.length > 0) await this.#commit(this.#takeGroup());
    this.#isRunning = false;
  }

  /** The longest waiting ones; a second write of an item stays, and so do those after it. */
  #takeGroup(): Waiting[] {
    const group: Waiting[] = [];
    const names = new Set<string>();
    let characters = 0;
    const left = this.#waiting.filter((it) => {
      characters += it.body.length;
      const isFull = group.length === GROUP_MAX || characters > GROUP_CHARACTERS_MAX;
      const stays = names.has(it.name) || (isFull && group.length > 0);
      names.add(it.name);
      if (!stays) group.push(it);
      return stays;
    });
    this.#waiting = left;
    return group;
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    if (group.length === 1) return this.#eachAlone(group);
    const TransactItems = group.map(({ operation, input }) => ({
      [operation.replace('Item', '')]: input,
    }));
    const sent = this.#call('TransactWriteItems', JSON.stringify({ TransactItems }));
    const answer = await sent.catch(() => undefined);
    // Nobody knows what was done: each caller is told what a single write would be told.
    if (!answer || answer.status >= 500) return answerAll(group, answer ?? sent);
    if (answer.status === 200) return answerAll(group, DONE);
    const reasons = refusalsIn(answer, group.length);
    // Something that no transaction takes, and that a single write may be told of better.
    if (!reasons) return this.#eachAlone(group);
    this.#waiting.unshift(...group.filter((_it, index) => !reasons[index]));
    for (const [index, it] of group.entries()) {
      const reason = reasons[index];
      if (reason) it.answer(refusalOf(reason));
    }
  }

  async #eachAlone(group: readonly Waiting[]): Promise<void> {
    for (const { operation, body, answer } of group) {
      const sent = this.#call(operation, body);
      answer(sent);
      await sent.catch(() => undefined);
    }
  }
}

function answerAll(group: readonly Waiting[], with_: Promise<AwsAnswer> | AwsAnswer): void {
  for (const { answer } of group) answer(with_);
}

/** Which writes failed on their conditions, if that is all that was wrong. */
function refusalsIn(
  { body }: AwsAnswer,
  count: number,
): readonly (CancellationReason | undefined)[] | undefined {
  const { CancellationReasons: reasons } = JSON.parse(body) as {
    CancellationReasons?: readonly CancellationReason[];
  };
  if (reasons?.length !== count) return undefined;
  const codes = new Set(reasons.map(({ Code }) => Code));
  codes.delete('None');
  if (codes.size !== 1 || !codes.has('ConditionalCheckFailed')) return undefined;
  return reasons.map((it) => (it.Code === 'None' ? undefined : it));
}

function refusalOf({ Item }: CancellationReason): AwsAnswer {
  const body = {
    __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException',
    message: 'The conditional request failed',
    ...(Item && { Item }),
  };
  return { status: 400, body: JSON.stringify(body) };
}
