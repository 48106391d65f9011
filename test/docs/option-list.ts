import * as z from 'zod';
import { OPTIONS } from '../../functions/shared/config.ts';

/** What JSON Schema says of one option. */
interface Facts {
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Ten years in days, which is the longest of a list that is checked number by number. */
const DAYS_MAX = 3_653;
const COLUMNS = 100;

/** All options of functions/shared/config.ts, each with its default, range and meaning. */
export function optionList(): string {
  const { properties = {} } = z.toJSONSchema(OPTIONS);
  const options = Object.entries(properties as Readonly<Record<string, Facts>>);
  return `\n${options.map(([name, facts]) => section(name, facts)).join('\n')}\n`;
}

function section(name: string, facts: Facts): string {
  const { description = '' } = facts;
  return [
    `### \`${name}\``,
    '',
    ...wrap(description),
    '',
    `- Default: ${facts.default === '' ? 'none' : `\`${facts.default}\``}`,
    ...wrap(`- Values: ${rangeOf(name, facts)}`),
    `- On AWS: \`-c ${name}=…\``,
    `- Local cloud: ${localOf(name)}`,
    '',
  ].join('\n');
}

function rangeOf(name: string, facts: Facts): string {
  if (facts.enum) return facts.enum.map((it) => `\`${it}\``).join(', ');
  if (facts.pattern) return `text that matches \`${facts.pattern}\``;
  const { minimum, maximum } = facts;
  if (minimum === undefined || maximum === undefined) return `one of ${accepted(name).join(', ')}`;
  const kind = facts.type === 'integer' ? 'a whole number' : 'a number';
  return `${kind} from ${grouped(minimum)} to ${grouped(maximum)}`;
}

/** The numbers that pass, where the schema is a list that it does not tell. */
function accepted(name: string): number[] {
  const numbers = Array.from({ length: DAYS_MAX }, (_, i) => i + 1);
  return numbers.filter((it) => OPTIONS.safeParse({ [name]: it }).success);
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

/** How the local cloud is told; it keeps its tables in a folder, which is copied as it is. */
function localOf(name: string): string {
  if (name === 'restoreFrom') return 'not there';
  return `\`${name === 'egress' ? '--strict-egress' : variableOf(name)}\``;
}

/** `logLevel` is TALLYHOOK_LOG_LEVEL. */
function variableOf(name: string): string {
  return `TALLYHOOK_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Lines of at most 100 columns; those after the first of a list's item are set in. */
function wrap(text: string): string[] {
  const indent = text.startsWith('- ') ? '  ' : '';
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > COLUMNS) {
      lines.push(line === undefined ? word : indent + word);
    } else {
      lines[lines.length - 1] = `${line} ${word}`;
    }
  }
  return lines;
}
