import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A value that must not be found, by the name under which a test reports it. */
export interface Secret {
  readonly name: string;
  readonly value: string;
}

/** A place where a secret lay open. The value itself is never repeated. */
export interface Find {
  readonly secret: string;
  readonly where: string;
}

/** Text or bytes that somebody could read, and where. */
export interface Evidence {
  readonly where: string;
  readonly content: string | Uint8Array;
}

/** Shorter ones would be found by chance. */
const FORM_BYTES_MIN = 16;

/** Where any of the secrets lies open in any of the forms in which it can be written. */
export function hunt(secrets: readonly Secret[], evidence: Iterable<Evidence>): Find[] {
  const forms = secrets.flatMap((secret) =>
    formsOf(secret.value).map((form) => ({ form, secret: secret.name })),
  );
  const finds = new Map<string, Find>();
  for (const { where, content } of evidence) {
    const bytes = Buffer.from(content);
    for (const { form, secret } of forms) {
      if (bytes.includes(form)) finds.set(`${secret} ${where}`, { secret, where });
    }
  }
  return [...finds.values()];
}

/**
 * The text; what it holds without its prefix; the bytes that base64 stands for; and of each of
 * these hexadecimal, base64 at any place inside of a longer text, and the escapes of a URL.
 */
function formsOf(value: string): Buffer[] {
  const core = value.replace(/^(whsec_|th_(live|test)_[\dA-Z]{26}_)/, '');
  const plain = [value, core].map((it) => Buffer.from(it));
  const decoded = /^[\w+/-]+=*$/.test(core) ? [Buffer.from(core, 'base64')] : [];
  const forms = [...plain, ...decoded].flatMap((it) => [
    it,
    Buffer.from(it.toString('hex')),
    Buffer.from(it.toString('hex').toUpperCase()),
    ...base64sOf(it),
  ]);
  const escaped = Buffer.from(encodeURIComponent(core));
  return [...forms, escaped].filter((it) => it.length >= FORM_BYTES_MIN);
}

/** What base64 makes of the bytes, wherever they begin in a text, without what is around them. */
function base64sOf(bytes: Buffer): Buffer[] {
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const inner = text.slice(Math.ceil((before * 4) / 3), -4).replace(/=+$/, '');
    const urlSafe = inner.replaceAll('+', '-').replaceAll('/', '_');
    return [Buffer.from(inner), Buffer.from(urlSafe)];
  });
}

/**
 * Everything below a folder: the bytes of each file, and each cell of what is a database of
 * SQLite, because the pages of its file cut long values into pieces.
 */
export function* filesIn(dir: string, except: readonly string[]): Generator<Evidence> {
  for (const name of globSync('**/*', { cwd: dir })) {
    const path = join(dir, name);
    if (except.includes(name) || !statSync(path).isFile()) continue;
    const bytes = readFileSync(path);
    yield { where: name, content: bytes };
    if (bytes.subarray(0, 15).toString() === 'SQLite format 3') yield* cellsOf(path, name);
  }
}

function* cellsOf(path: string, name: string): Generator<Evidence> {
  const db = new DatabaseSync(path, { readOnly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  for (const { name: table } of tables) {
    for (const row of db.prepare(`SELECT * FROM "${table}"`).iterate()) {
      for (const [column, cell] of Object.entries(row)) {
        const isLong = typeof cell === 'string' || cell instanceof Uint8Array;
        if (isLong) yield { where: `${name}: ${table}.${column}`, content: cell };
      }
    }
  }
  db.close();
}
