import { createHash } from 'node:crypto';

/** A copy of a webhook as it came over the wire. */
export interface WireCopy {
  /** The number of its event. */
  readonly n: number;
  /** The header `webhook-id`. */
  readonly id: string;
  readonly bodyId: string;
  readonly body: Buffer;
  /** Whether it says that it may be a repeat. */
  readonly marked: boolean;
}

/** How a copy ended, as the receiver knows it: the sender may not have learnt of it. */
export type CopyEnd = 'accepted' | 'refused' | 'unknown';

interface Story {
  readonly id: string;
  readonly bodyHash: string;
  copies: number;
  open: number;
  accepted: boolean;
  unsure: boolean;
}

/** What one endpoint's receiver has seen, with a sentence for each thing that must not be. */
export class WireLog {
  readonly violations: string[] = [];
  copies = 0;
  marked = 0;
  /** Marked copies of which this receiver does not know why: somebody killed a worker. */
  unexplained = 0;
  readonly #name: string;
  readonly #stories = new Map<number, Story>();

  constructor(name: string) {
    this.#name = name;
  }

  /** How many deliveries have come at least once. */
  get seen(): number {
    return this.#stories.size;
  }

  /** Answers what is to be called with the end of this copy. */
  arrive(copy: WireCopy): (end: CopyEnd) => void {
    const bodyHash = createHash('sha1').update(copy.body).digest('base64').slice(0, 12);
    const story = this.#stories.get(copy.n) ?? this.#open(copy, bodyHash);
    this.copies += 1;
    if (copy.marked) this.marked += 1;
    if (story.id !== copy.id || copy.bodyId !== copy.id) {
      this.#blame(copy, `came as ${copy.id} with the body of ${copy.bodyId}, not as ${story.id}`);
    }
    if (story.bodyHash !== bodyHash) this.#blame(copy, 'came with another body');
    if (story.open > 0) this.#blame(copy, 'came twice at once');
    if (story.accepted && !copy.marked) this.#blame(copy, 'came again after a 2xx, unmarked');
    if (story.unsure && !copy.marked) this.#blame(copy, 'came unmarked after an unknown outcome');
    if (copy.marked && !story.unsure) this.unexplained += 1;
    // Whatever it was that made the sender unsure, each later copy says so.
    if (copy.marked) story.unsure = true;
    story.copies += 1;
    story.open += 1;
    return (end) => {
      story.open -= 1;
      story.accepted ||= end === 'accepted';
      story.unsure ||= end === 'unknown';
    };
  }

  /** What became of the webhook with this number; undefined when it never came. */
  story(n: number): Pick<Story, 'id' | 'copies' | 'accepted'> | undefined {
    return this.#stories.get(n);
  }

  #open(copy: WireCopy, bodyHash: string): Story {
    const nothing = { copies: 0, open: 0, accepted: false, unsure: false };
    const story = { id: copy.id, bodyHash, ...nothing };
    this.#stories.set(copy.n, story);
    return story;
  }

  #blame({ n, id }: WireCopy, what: string): void {
    this.violations.push(`wire ${this.#name}: ${n} (${id}) ${what}`);
  }
}
