import { LocalFailure } from './failure.ts';

/** A pattern of EventBridge or of an event source's filter: objects down to lists of conditions. */
export type Pattern = Readonly<Record<string, unknown>>;

/**
 * Whether the event has everything that the pattern asks for: each field of the pattern holds one
 * of its listed conditions. Throws when a condition is of a kind that the local cloud lacks.
 */
export function matchesPattern(pattern: Pattern, event: unknown): boolean {
  return Object.entries(pattern).every(([field, wanted]) => {
    const value = fieldOf(event, field);
    if (Array.isArray(wanted)) return wanted.some((condition) => holds(condition, value));
    if (typeof wanted !== 'object' || wanted === null || field.startsWith('$')) {
      throw new LocalFailure(`the local cloud does not know the pattern ${field}`);
    }
    return matchesPattern(wanted as Pattern, value);
  });
}

function fieldOf(event: unknown, field: string): unknown {
  if (typeof event !== 'object' || event === null || !Object.hasOwn(event, field)) return undefined;
  return (event as Record<string, unknown>)[field];
}

/** A field with a list matches when one of its elements does. */
function holds(condition: unknown, value: unknown): boolean {
  if (Array.isArray(value)) return value.some((element) => holds(condition, element));
  if (typeof condition !== 'object' || condition === null) return condition === value;
  const [[kind, argument] = ['', undefined]] = Object.entries(condition);
  switch (kind) {
    case 'prefix':
      return typeof value === 'string' && value.startsWith(String(argument));
    case 'suffix':
      return typeof value === 'string' && value.endsWith(String(argument));
    case 'exists':
      return (value !== undefined) === argument;
    case 'anything-but':
      return value !== undefined && ![argument].flat().includes(value);
    default:
      throw new LocalFailure(`the local cloud does not know the pattern condition "${kind}"`);
  }
}
