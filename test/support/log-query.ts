/** One line of the log, as CloudWatch discovers its fields: nested ones by dots. */
export type LogLine = Readonly<Record<string, unknown>>;

/** What a query of CloudWatch Logs Insights looks for, of the part of its language that we use. */
export interface LogQuery {
  readonly text: string;
  /** Fields that it shows or counts, without those that CloudWatch adds. */
  readonly fields: readonly string[];
  readonly accepts: (line: LogLine) => boolean;
}

/** The queries in a page: its blocks of `sql`. */
export function queriesIn(page: string): LogQuery[] {
  return [...page.matchAll(/^```sql\n([^`]+)^```$/gm)].map(([, text = '']) => readQuery(text));
}

function readQuery(text: string): LogQuery {
  const commands = text.split(/\n\||^\|/).map((it) => it.trim());
  const of = (name: string) =>
    commands.flatMap((it) => (it.startsWith(`${name} `) ? [it.slice(name.length + 1)] : []));
  const filters = of('filter')
    .flatMap((it) => it.split(' and '))
    .map(condition);
  const known = ['fields', 'filter', 'stats', 'sort'];
  const strange = commands.find((it) => !known.includes(it.split(' ', 1)[0] ?? ''));
  if (strange !== undefined) throw new Error(`"${strange}" is no command that this can read`);
  return {
    text,
    fields: [...of('fields').flatMap((it) => it.split(',')), ...of('stats').flatMap(counted)]
      .map((it) => it.trim())
      .filter((it) => !it.startsWith('@')),
    accepts: (line) => filters.every((it) => it(line)),
  };
}

function condition(text: string): (line: LogLine) => boolean {
  const [, field = '', operator, operand = ''] = /^([\w.]+) (=|in|like) (.+)$/.exec(text) ?? [];
  if (operator === undefined) throw new Error(`"${text}" is no condition that this can read`);
  const values = [...operand.matchAll(/"([^"]*)"/g)].map(([, value]) => value);
  return (line) => {
    const found = String(fieldOf(line, field));
    return values.some((it) => (operator === 'like' ? found.includes(it ?? '') : found === it));
  };
}

/** The fields in `sum(users), max(ms) by bin(1m), outcome`. */
function counted(text: string): string[] {
  const [sums = '', groups = ''] = text.split(' by ');
  const inside = [...sums.matchAll(/\(([\w.]+)(?:, \d+)?\)/g)].map(([, field = '']) => field);
  return [...inside, ...groups.split(',').filter((it) => it !== '' && !it.includes('bin('))];
}

/** What stands in a line under such a name; undefined when nothing does. */
export function fieldOf(line: LogLine, field: string): unknown {
  return field
    .split('.')
    .reduce<unknown>((it, name) => (it as Record<string, unknown> | undefined)?.[name], line);
}
