/** One top-level field of a JSON object, and its parts as they stand in the text. */
export interface JsonField {
  readonly name: string;
  /** The name and the value as JSON. */
  readonly nameJson: string;
  readonly valueJson: string;
}

const INTEGER = /^-?(0|[1-9]\d*)$/;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The fields of a JSON object, in its order. Undefined for a text that is no JSON object, that
 * names a field twice, or that holds half a surrogate pair: nobody could tell what it means.
 */
export function readJsonObject(text: string): JsonField[] | undefined {
  const object = parseObject(text);
  if (!object) return undefined;

  const fields = fieldsOf(text);
  if (fields.length !== Object.keys(object).length) return undefined;
  const isWhole = fields.every(({ name, valueJson }) => {
    return name.isWellFormed() && (valueJson[0] !== '"' || textOf(valueJson).isWellFormed());
  });
  return isWhole ? fields : undefined;
}

/**
 * The value as text: a string's own, nothing for null, a number by its literal digits, and the
 * JSON of all else.
 */
export function textOf(valueJson: string): string {
  if (valueJson === 'null') return '';
  if (valueJson[0] !== '"') return valueJson;
  return valueJson.includes('\\') ? JSON.parse(valueJson) : valueJson.slice(1, -1);
}

/** Strings, and integers by their literal digits, can be ids. */
export function canBeId(valueJson: string): boolean {
  return valueJson[0] === '"' || INTEGER.test(valueJson);
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Walks over the top level of what is known to be a JSON object. */
function fieldsOf(text: string): JsonField[] {
  const fields: JsonField[] = [];
  for (let at = text.indexOf('{') + 1; ; ) {
    at = skipSpace(text, at);
    if (text[at] === '}') return fields;
    const nameEnd = endOfString(text, at);
    const nameJson = text.slice(at, nameEnd);
    const start = skipSpace(text, text.indexOf(':', nameEnd) + 1);
    const end = endOfValue(text, start);
    fields.push({ name: textOf(nameJson), nameJson, valueJson: text.slice(start, end) });
    at = skipSpace(text, end);
    if (text[at] === ',') at += 1;
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) <= 0x20) at += 1;
  return at;
}

/** The place behind the string that begins at `from`. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; ; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at += 1;
  }
}

/** The place behind the value that begins at `from`. Counts brackets: recursion could be deep. */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; ; ) {
    const char = text[at] ?? '';
    if (char === '"') at = endOfString(text, at);
    else {
      // The comma or bracket behind a number, true, false or null is not its own.
      if (depth === 0 && at > from && /[\s,}\]]/.test(char)) return at;
      if (char === '{' || char === '[') depth += 1;
      if (char === '}' || char === ']') depth -= 1;
      at += 1;
    }
    if (depth === 0 && /["}\]]/.test(text[at - 1] ?? '')) return at;
  }
}
