import { isRecord } from './json-schema.ts';
import type { Material } from './valid-value.ts';

const ID = /^([a-z]{3})_[0-9A-HJKMNP-TV-Z]{26,52}$/;

/** More than these of one kind are not kept: the newest are the most interesting. */
const KEPT = 30;

/** What a tenant really has, collected from the answers that it got. */
export class Pool implements Material {
  readonly #ids = new Map<string, string[]>();
  readonly #cursors: string[] = [];
  readonly #hidden: ReadonlySet<string>;
  readonly #named: (name: string) => readonly unknown[];

  /** `hidden` ids are never used: a session would lock itself out with its own key. */
  constructor(named: (name: string) => readonly unknown[], hidden: readonly string[] = []) {
    this.#named = named;
    this.#hidden = new Set(hidden);
  }

  ids(prefix: string): readonly string[] {
    return this.#ids.get(prefix) ?? [];
  }

  named(name: string): readonly unknown[] {
    return name === 'cursor' ? this.#cursors : this.#named(name);
  }

  /** Keeps every id that stands anywhere in an answer. */
  learn(value: unknown): void {
    if (typeof value === 'string') this.#add(value);
    else if (Array.isArray(value)) for (const it of value) this.learn(it);
    else if (isRecord(value)) {
      for (const it of Object.values(value)) this.learn(it);
      if (typeof value.nextCursor === 'string') this.#cursors.push(value.nextCursor);
    }
  }

  #add(text: string): void {
    const prefix = ID.exec(text)?.[1];
    if (prefix === undefined || this.#hidden.has(text)) return;
    const known = this.#ids.get(prefix) ?? [];
    if (known.includes(text)) return;
    this.#ids.set(prefix, [...known, text].slice(-KEPT));
  }
}
