import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { LocalFailure } from './failure.ts';
import { readJson, writeJson } from './state.ts';
import type { Properties } from './template.ts';

const OWNER_ONLY = 0o600;
const PASSWORD_LENGTH = 32;

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

/** Secrets are named by their ARN or by the name at its end. */
const secretName = (id: string): string => id.slice(id.lastIndexOf(':') + 1);

/** The values of the secrets, made once and kept in a file that only its owner can read. */
export class SecretStore {
  readonly #file: string;
  readonly #values: Record<string, string>;

  constructor(file: string) {
    this.#file = file;
    this.#values = readJson(file) ?? {};
  }

  /**
   * Keeps the value that is there, else makes one as the template asks for; but a lost one that
   * `wasMade` before is refused, because nothing could read what was sealed with it.
   */
  ensure(id: string, properties: Properties, wasMade: boolean): void {
    if (this.find(id) !== undefined) return;
    if (wasMade) {
      throw new LocalFailure(
        `${this.#file} has lost ${secretName(id)}: put it back, or let --fresh start anew`,
      );
    }
    this.set(id, makeValue(properties));
  }

  set(id: string, value: string): void {
    if (this.find(id) === value) return;
    this.#values[secretName(id)] = value;
    writeJson(this.#file, this.#values, OWNER_ONLY);
  }

  find(id: string): string | undefined {
    return this.#values[secretName(id)];
  }

  names(): string[] {
    return Object.keys(this.#values);
  }
}

interface GenerateSecretString {
  readonly PasswordLength?: number;
  readonly ExcludeCharacters?: string;
  readonly ExcludeLowercase?: boolean;
  readonly ExcludeUppercase?: boolean;
  readonly ExcludeNumbers?: boolean;
  readonly ExcludePunctuation?: boolean;
  readonly SecretStringTemplate?: string;
  readonly GenerateStringKey?: string;
}

function makeValue({ SecretString, GenerateSecretString }: Properties): string {
  if (typeof SecretString === 'string') return SecretString;
  const rules = (GenerateSecretString ?? {}) as GenerateSecretString;
  const excluded = rules.ExcludeCharacters ?? '';
  const characters = [
    rules.ExcludeLowercase ? '' : LOWER,
    rules.ExcludeUppercase ? '' : UPPER,
    rules.ExcludeNumbers ? '' : DIGITS,
    rules.ExcludePunctuation ? '' : PUNCTUATION,
  ]
    .join('')
    .split('')
    .filter((character) => !excluded.includes(character));
  const password = Array.from(
    { length: rules.PasswordLength ?? PASSWORD_LENGTH },
    () => characters[randomInt(characters.length)],
  ).join('');
  if (!rules.GenerateStringKey) return password;
  const shape = JSON.parse(rules.SecretStringTemplate ?? '{}');
  return JSON.stringify({ ...shape, [rules.GenerateStringKey]: password });
}

/** What Secrets Manager is asked. */
interface Question {
  readonly SecretId?: string;
  readonly SecretString?: string;
}

/**
 * Secrets Manager with what functions use, GetSecretValue, and what the commands of an operator
 * use besides: ListSecrets and PutSecretValue, which changes a secret that is there.
 */
export function secretsServer(store: SecretStore): Server {
  return createServer(async (request, response) => {
    const target = String(request.headers['x-amz-target']);
    const question: Question = JSON.parse((await text(request)) || '{}');
    const answer = answerOf(target.slice(target.indexOf('.') + 1), question, store);
    response.writeHead(answer ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' });
    const message = `${target} of ${question.SecretId}`;
    response.end(JSON.stringify(answer ?? { __type: 'ResourceNotFoundException', message }));
  });
}

function answerOf(action: string, { SecretId = '', SecretString }: Question, store: SecretStore) {
  if (action === 'ListSecrets') {
    return { SecretList: store.names().map((Name) => ({ ARN: Name, Name })) };
  }
  const value = store.find(SecretId);
  if (value === undefined) return undefined;
  const facts = { ARN: SecretId, Name: SecretId, VersionId: 'local' };
  if (action === 'GetSecretValue') return { ...facts, SecretString: value };
  if (action !== 'PutSecretValue' || SecretString === undefined) return undefined;
  store.set(SecretId, SecretString);
  return facts;
}
