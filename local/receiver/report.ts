import type { Answer, Handled } from './server.ts';

/** What was in the body, as far as it is there. */
export interface Content {
  readonly type?: string;
  readonly userId?: string;
  readonly message?: string;
}

/** Reads the body of a webhook. Anything that is not a webhook's JSON has no content. */
export function readContent(body: Buffer): Content {
  const event = parse(body);
  const data = isRecord(event) && isRecord(event.data) ? event.data : {};
  return {
    ...text('type', isRecord(event) ? event.type : undefined),
    ...text('userId', data.userId),
    ...text('message', data.message),
  };
}

/** The line for one webhook, in columns: time, answer, id, attempt, type, user, message, marks. */
export function formatLine(webhook: Handled): string {
  const { type = '-', userId = '', message = '' } = readContent(webhook.body);
  const columns = [
    new Date(webhook.atMs).toISOString().slice(11, 23),
    nameAnswer(webhook.answer).padEnd(5),
    printable(webhook.id || '-').padEnd(30),
    `#${webhook.attempt}`.padEnd(3),
    printable(type).padEnd(20),
    printable(userId).padEnd(12),
    shorten(printable(message), 40).padEnd(40),
    marks(webhook).join(', '),
  ];
  return columns.join('  ').trimEnd();
}

/** One line of CSV, quoted where RFC 4180 asks for it. */
export function formatCsv(fields: readonly string[]): string {
  const quoted = fields.map((it) => (/[",\r\n]/.test(it) ? `"${it.replaceAll('"', '""')}"` : it));
  return `${quoted.join(',')}\n`;
}

export interface Totals {
  readonly add: (webhook: Handled) => void;
  /** A line per answer, then the ids and the duplicates. */
  readonly format: () => string;
}

/** Counts what was received, for the last words of the receiver. */
export function openTotals(): Totals {
  const answers = new Map<string, number>();
  const ids = new Set<string>();
  let received = 0;
  let duplicates = 0;
  return {
    add(webhook) {
      received += 1;
      ids.add(webhook.id);
      if (webhook.duplicate) duplicates += 1;
      const name = nameAnswer(webhook.answer);
      answers.set(name, (answers.get(name) ?? 0) + 1);
    },
    format() {
      const byAnswer = [...answers].sort().map(([name, count]) => `${count} × ${name}`);
      const how = byAnswer.length > 0 ? ` (${byAnswer.join(', ')})` : '';
      return `${received} received${how}, ${ids.size} ids, ${duplicates} duplicates`;
    },
  };
}

function nameAnswer(answer: Answer): string {
  return typeof answer === 'string' ? answer : String(answer.status);
}

function marks({ verdict, duplicate, headers }: Handled): string[] {
  const found: string[] = [];
  if (verdict !== undefined && verdict !== 'valid') found.push(verdict.replaceAll('_', ' '));
  if (duplicate) found.push('duplicate');
  if (headers['webhook-possible-duplicate']) found.push('possible duplicate');
  return found;
}

/** Texts come from outside: a control character could rewrite the terminal. */
function printable(value: string): string {
  return value.replaceAll(/\p{Cc}/gu, ' ');
}

function shorten(value: string, length: number): string {
  return value.length > length ? `${value.slice(0, length - 1)}…` : value;
}

function text(name: keyof Content, value: unknown): Content {
  if (typeof value === 'string') return { [name]: value };
  return typeof value === 'number' ? { [name]: String(value) } : {};
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
