export interface NumberBounds {
  readonly max: number;
  /** Refuses fractions. */
  readonly whole?: boolean;
}

/** The number of a command-line flag, from 0 to `max`. Throws a sentence for whoever typed it. */
export function readNumberFlag(flag: string, text: string, bounds: NumberBounds): number {
  const { max, whole = false } = bounds;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value <= max) || (whole && !Number.isInteger(value))) {
    throw new Error(`--${flag} must be a ${whole ? 'whole ' : ''}number from 0 to ${max}`);
  }
  return value;
}

/**
 * Arguments in which a flag keeps a negative number that follows it: `--port -5` becomes
 * `--port=-5`. `parseArgs` would call it ambiguous; so the flag's own bounds refuse it.
 */
export function joinNegatives(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const flag = joined.at(-1);
    if (/^-\.?\d/.test(arg) && flag && /^--[a-z-]+$/.test(flag))
      joined.splice(-1, 1, `${flag}=${arg}`);
    else joined.push(arg);
  }
  return joined;
}
