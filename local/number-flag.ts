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
