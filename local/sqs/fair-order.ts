const GROUPS_MAX = 10_000;

interface QueueClock {
  /** The turn of the message that was handed out last. */
  now: number;
  /** The last turn that each group has taken. */
  readonly last: Map<string, number>;
}

/**
 * Fair queues by numbered turns: the messages of one group stand in consecutive turns, so that a
 * queue that is read in the order of turns serves every group alike, however many messages one of
 * them has sent. A message without a group takes the next turn, like a group of its own.
 */
export class FairOrder {
  readonly #clocks = new Map<string, QueueClock>();

  constructor(
    last: readonly { queue: string; group_id: string | null; last: number }[],
    now: readonly { queue: string; now: number }[],
  ) {
    for (const row of now) this.#clock(row.queue).now = row.now;
    for (const row of last) {
      if (row.group_id !== null) this.#clock(row.queue).last.set(row.group_id, row.last);
    }
  }

  /** The turn of a new message. */
  next(queue: string, group: string | undefined): number {
    const clock = this.#clock(queue);
    if (group === undefined) return clock.now + 1;
    const turn = Math.max(clock.now, clock.last.get(group) ?? 0) + 1;
    if (clock.last.size >= GROUPS_MAX) forgetIdleGroups(clock);
    clock.last.set(group, turn);
    return turn;
  }

  /** A message of this turn was handed out. */
  pass(queue: string, turn: number): void {
    const clock = this.#clock(queue);
    clock.now = Math.max(clock.now, turn);
  }

  #clock(queue: string): QueueClock {
    const found = this.#clocks.get(queue) ?? { now: 0, last: new Map() };
    this.#clocks.set(queue, found);
    return found;
  }
}

/** A group whose turns have all passed starts at the present turn anyway. */
function forgetIdleGroups(clock: QueueClock): void {
  for (const [group, turn] of clock.last) {
    if (turn <= clock.now) clock.last.delete(group);
  }
}
