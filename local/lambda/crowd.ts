import { availableParallelism } from 'node:os';

/** What a pool tells of itself to those that share the machine with it. */
export interface Member {
  /** Instances that start, work or are idle. */
  readonly size: number;
  /** Those of them that wait for somebody outside, and so leave the processor to others. */
  readonly waiting: number;
  /** Since when the longest idle instance is idle, in epoch milliseconds. */
  readonly idleSinceMs: number | undefined;
  endLongestIdle(): void;
}

/**
 * An instance takes about 80 MB, and a few per core keep a core busy while others wait for
 * receivers.
 */
const INSTANCES_MAX = Math.max(8, 4 * availableParallelism());

/**
 * Beyond the first of each function, so many in all where they wait for receivers. The workers of
 * deliveries and of files that all hang are fewer, together.
 */
const FURTHER_MAX = 20;

/** An instance between two events is idle too, and would be missed at once. */
const EVICTED_AFTER_MS = 1_000;

/**
 * Keeps the instances of all functions together within what the machine can bear. One that waits
 * does not count, up to half as many more: a receiver that hangs must not keep others from theirs.
 * Nor is a function left with hardly any that works because most of its instances wait.
 */
export class Crowd {
  readonly #members = new Set<Member>();
  readonly #instancesMax: number;

  constructor(instancesMax = INSTANCES_MAX) {
    this.#instancesMax = instancesMax;
  }

  join(member: Member): void {
    this.#members.add(member);
  }

  /**
   * Whether the member may start one more instance. Its first is always admitted, so that no
   * function has to wait for others, and one more while over half of its own wait. When the
   * crowd is full, the longest idle instance of another member ends for any further one.
   */
  admits(member: Member): boolean {
    if (member.size === 0) return true;
    if (this.#size >= this.#instancesMax) this.#idlestBut(member)?.endLongestIdle();
    if (this.#size < this.#instancesMax) return true;
    return member.size < 2 * member.waiting && this.#further < FURTHER_MAX;
  }

  get #size(): number {
    const members = [...this.#members];
    const waiting = members.reduce((sum, member) => sum + member.waiting, 0);
    const spared = Math.min(waiting, Math.floor(this.#instancesMax / 2));
    return members.reduce((sum, { size }) => sum + size, -spared);
  }

  get #further(): number {
    return [...this.#members].reduce((sum, { size }) => sum + Math.max(0, size - 1), 0);
  }

  #idlestBut(asking: Member): Member | undefined {
    const latestMs = Date.now() - EVICTED_AFTER_MS;
    let found: Member | undefined;
    for (const member of this.#members) {
      const { idleSinceMs = Number.POSITIVE_INFINITY } = member;
      if (member === asking || idleSinceMs > latestMs) continue;
      if (idleSinceMs < (found?.idleSinceMs ?? Number.POSITIVE_INFINITY)) found = member;
    }
    return found;
  }
}
