import { Problem } from '../problem.ts';

/** Deeper than any honest body, far below where a serializer runs out of stack. */
const DEPTH_MAX = 32;

/** A body as it was received: its value, and the exact text of its top-level members. */
export interface JsonBody {
  readonly value: unknown;
  /** The text of a member, byte for byte: numbers that a double cannot hold stay what they are. */
  memberText(name: string): string | undefined;
  /** The value with each number as it was written, to tell apart what a double makes equal. */
  exactValue(): unknown;
}

/** A number as it was written. */
export class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  /** Written again it is what it was. */
  toJSON(): unknown {
    return rawJson(this.text);
  }
}

/** Newer than TypeScript's own declarations: text that `JSON.stringify` writes as it is. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

/** The value of JSON text. `JSON.stringify` writes its numbers as they were written there. */
export function exactJson(source: string): unknown {
  return isPlain(source) ? JSON.parse(source) : JSON.parse(source, exactNumber as Reviver);
}

/** Whether `JSON.stringify` writes all its numbers so anyway: a reviver takes ten times as long. */
function isPlain(source: string): boolean {
  for (const [token] of source.matchAll(NUMBERS)) {
    if (token[0] !== '"' && String(Number(token)) !== token) return false;
  }
  return true;
}

/** Strings, which may hold what looks like one, and numbers. */
const NUMBERS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/** The third argument of a reviver is newer than TypeScript's own declaration of it. */
type Reviver = (key: string, value: unknown) => unknown;

/**
 * JSON as money needs it: UTF-8 without BOM, no duplicate keys, at most 32 levels, nothing after
 * the value. Refused with `malformed_json`. Where `movesMoney`, a member `amount` that is a number,
 * but not written as a plain exact integer, becomes NaN, so that its schema refuses it.
 */
export function parseJson(bytes: Uint8Array, { movesMoney = false } = {}): JsonBody {
  const source = decodeUtf8(bytes);
  assertDepth(source);
  let value: unknown;
  try {
    value = JSON.parse(source, movesMoney ? (exactAmount as Reviver) : undefined);
  } catch {
    throw malformed('The body cannot be parsed as JSON.');
  }
  const members = memberTexts(source);
  return {
    value,
    memberText: (name) => members.get(name),
    exactValue: () => exactJson(source),
  };
}

function decodeUtf8(bytes: Uint8Array): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb) throw malformed('The body begins with a BOM.');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed('The body is not UTF-8.');
  }
}

function exactNumber(_key: string, value: unknown, context: { source?: string }): unknown {
  return typeof value === 'number' ? new NumberText(context.source ?? '') : value;
}

function exactAmount(key: string, value: unknown, context: { source?: string }): unknown {
  if (key !== 'amount' || typeof value !== 'number') return value;
  return /^\d+$/.test(context.source ?? '') && Number.isSafeInteger(value) ? value : Number.NaN;
}

/**
 * Before the parser: it reads any depth, but what comes after it crashes. One step per character,
 * because text that is no JSON at all may be made to keep a pattern busy for minutes.
 */
function assertDepth(source: string): void {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < source.length; at += 1) {
    const char = source[at];
    if (char === '"') isInString = !isInString;
    else if (isInString && char === '\\') at += 1;
    else if (!isInString && (char === '{' || char === '[')) depth += 1;
    else if (!isInString && (char === '}' || char === ']')) depth -= 1;
    if (depth > DEPTH_MAX) throw malformed(`The body is nested deeper than ${DEPTH_MAX} levels.`);
  }
}

interface Scope {
  /** The names seen so far in an object; undefined for a list. */
  readonly names: Set<string> | undefined;
  /** Whether the next string is a name. */
  atName: boolean;
}

/**
 * The exact text of each element of a list. The text is known to be JSON, such as what `memberText`
 * answers.
 */
export function elementTexts(list: string): string[] {
  const texts: string[] = [];
  let depth = 0;
  let start = 0;
  const endElement = (end: number) => {
    const text = list.slice(start, end).trim();
    if (text !== '') texts.push(text);
    start = end + 1;
  };

  for (const { 0: token, index } of list.matchAll(TOKENS)) {
    if (token === '[' || token === '{') depth += 1;
    if (depth === 1 && token === '[') start = index + 1;
    if (depth === 1 && (token === ',' || token === ']')) endElement(index);
    if (token === ']' || token === '}') depth -= 1;
  }
  return texts;
}

/** Strings, and what stands between values. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[[{\]},:]/g;

/**
 * The exact text of each member of an object. The text is known to be JSON. Refuses a name that
 * stands twice in one object, at any depth.
 */
export function memberTexts(source: string): Map<string, string> {
  const members = new Map<string, string>();
  const scopes: Scope[] = [];
  let member: { name: string; start: number } | undefined;
  const endMember = (end: number) => {
    if (member) members.set(member.name, source.slice(member.start, end).trim());
    member = undefined;
  };

  for (const match of source.matchAll(TOKENS)) {
    const { 0: token, index } = match;
    const scope = scopes.at(-1);
    if (token === '{' || token === '[') {
      scopes.push({ names: token === '{' ? new Set() : undefined, atName: token === '{' });
    } else if (token === '}' || token === ']') {
      if (scopes.length === 1) endMember(index);
      scopes.pop();
    } else if (token === ',') {
      if (scopes.length === 1) endMember(index);
      if (scope) scope.atName = scope.names !== undefined;
    } else if (scope?.atName && token !== ':') {
      const name = takeName(scope, token);
      if (scopes.length === 1) member = { name, start: index + token.length };
    } else if (token === ':' && scopes.length === 1 && member) {
      member = { ...member, start: index + 1 };
    }
  }
  return members;
}

function takeName(scope: Scope, token: string): string {
  const name = JSON.parse(token) as string;
  // It would vanish on the way, because objects in JavaScript have it already.
  if (name === '__proto__') throw malformed('The name "__proto__" is not allowed.');
  if (scope.names?.has(name)) {
    throw malformed(`The name ${JSON.stringify(name)} stands twice in one object.`);
  }
  scope.names?.add(name);
  scope.atName = false;
  return name;
}

function malformed(detail: string): Problem {
  return new Problem('malformed_json', { detail });
}
