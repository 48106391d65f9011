import type * as z from 'zod';

type Issue = z.core.$ZodRawIssue;

/** What people call the types of JSON. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  null: 'null',
};

/** What a fault of a request is called, where its schema has no words of its own for it. */
export function wordsOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${TYPES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return choiceWords(issue.values);
    case 'too_small':
      return sizeWords(issue.origin, 'at least', issue.minimum);
    case 'too_big':
      return sizeWords(issue.origin, 'at most', issue.maximum);
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return formatWords(issue.format);
    case 'invalid_union':
      return unionWords(issue);
    default:
      return 'is not valid';
  }
}

function choiceWords(values: readonly unknown[]): string {
  return `must be ${values.length === 1 ? '' : 'one of '}${values.map(String).join(', ')}`;
}

function sizeWords(origin: string, bound: 'at least' | 'at most', size: number | bigint): string {
  if (bound === 'at least' && size === 1 && origin !== 'number') return 'must not be empty';
  if (origin === 'string') return `must have ${bound} ${size} characters`;
  if (origin === 'array') return `must have ${bound} ${size} elements`;
  return `must be ${bound} ${size}`;
}

function formatWords(format: string): string {
  if (format === 'datetime') return 'must be a time with an offset, such as 2026-11-21T10:30:00Z';
  if (format === 'url') return 'must be a URL';
  return 'has not the right form';
}

/** All that it could be, if it is only of a wrong type; the name that decides, if that is wrong. */
function unionWords({ errors, options }: Extract<Issue, { code: 'invalid_union' }>): string {
  if (Array.isArray(options) && options.length > 0) return choiceWords(options);
  const own = errors.map((branch) => branch.find((it) => it.path.length === 0)?.message);
  const told = [...new Set(own)].filter((it) => it?.startsWith('must be '));
  if (told.length === 0) return 'is not valid';
  return told.map((it, index) => (index === 0 ? it : it?.replace('must be ', ''))).join(' or ');
}
