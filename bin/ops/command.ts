import { parseArgs } from 'node:util';
import type { Clock } from '../../functions/shared/world.ts';
import type { Installation } from './installation.ts';

/** What a flag is: with a value, or without. */
export type FlagKind = 'string' | 'boolean';

/** The words and flags that a command was given. */
export interface Given {
  readonly words: readonly string[];
  /** A flag with a value. */
  text(name: string): string | undefined;
  /** A flag without one. */
  has(name: string): boolean;
  /** A whole number from 1 on. */
  count(name: string): number | undefined;
}

/** What a command works with. */
export interface Desk {
  readonly at: Installation;
  /** To the person's screen. */
  print(line: string): void;
  /** How far it has come, beside the answer. */
  note(line: string): void;
  readonly sleep: (ms: number) => Promise<void>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** `person`: it has ended well, and somebody must look at what it found. */
export type Outcome = 'done' | 'person';

/** One of the operator's commands. */
export interface Command {
  readonly name: string;
  /** What stands behind its name: `<queue> [--rate N]`. */
  readonly form: string;
  /** Lines of its help below the form. */
  readonly help: readonly string[];
  readonly flags: Readonly<Record<string, FlagKind>>;
  /** How many words it takes; one more is refused, so that none is dropped unseen. */
  readonly wordsMax: number;
  run(given: Given, desk: Desk): Promise<Outcome>;
}

/** Something that the person can put right: told in one line, without a stack. */
export class Refusal extends Error {}

/** What every command takes besides. */
export const COMMON_FLAGS: Readonly<Record<string, FlagKind>> = {
  'dry-run': 'boolean',
  aws: 'boolean',
  stack: 'string',
  restored: 'string',
  api: 'string',
  dynamodb: 'string',
  secrets: 'string',
  help: 'boolean',
};

/** What everybody tries first. */
const SHORT: Readonly<Record<string, { short: string }>> = { help: { short: 'h' } };

/** Reads the words and flags of a command. Refuses those that it does not know, by name. */
export function readFlags(
  command: Pick<Command, 'flags' | 'wordsMax'>,
  args: readonly string[],
): Given {
  const kinds = Object.entries({ ...COMMON_FLAGS, ...command.flags });
  const { values, positionals } = parse(
    args,
    Object.fromEntries(kinds.map(([name, type]) => [name, { type, ...SHORT[name] }])),
  );
  const surplus = positionals[command.wordsMax];
  if (surplus !== undefined) throw new Refusal(`what is ${surplus}? See --help`);
  const text = (name: string) => {
    const value = values[name];
    if (typeof value !== 'string') return undefined;
    if (value.trim() === '') throw new Refusal(`--${name} is empty`);
    return value;
  };
  return {
    words: positionals,
    text,
    has: (name) => values[name] === true,
    count: (name) => {
      const value = text(name);
      if (value === undefined) return undefined;
      if (!/^[1-9]\d{0,6}$/.test(value)) throw new Refusal(`--${name} is a whole number from 1 on`);
      return Number(value);
    },
  };
}

function parse(
  args: readonly string[],
  options: Record<string, { type: FlagKind; short?: string }>,
) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new Refusal(
      error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error),
    );
  }
}
