/** An object somewhere in a JSON document. */
export interface JsonNode {
  /** RFC 6901. */
  readonly pointer: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Every object of a document, but not those within its examples, which are data. */
export function* nodesOf(value: unknown, pointer = ''): Generator<JsonNode> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield { pointer, value: value as JsonNode['value'] };
  for (const [name, member] of Object.entries(value)) {
    const step = name.replaceAll('~', '~0').replaceAll('/', '~1');
    if (name !== 'value') yield* nodesOf(member, `${pointer}/${step}`);
  }
}
