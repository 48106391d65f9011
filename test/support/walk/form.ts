/**
 * Of what form a value is: the names and types of its members, whatever they hold. Of a list the
 * form of the first element counts, because how many there are differs from run to run.
 */
export function formOf(value: unknown): unknown {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? [] : [formOf(value[0])];
  if (typeof value !== 'object') return typeof value;
  const members = Object.entries(value).map(([name, it]) => [name, formOf(it)] as const);
  return Object.fromEntries(members.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
