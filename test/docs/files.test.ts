import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { FILE_FAULT_CODES, ROW_FAULT_CODES } from '../../functions/files/file-fault.ts';

const DOCS = readFileSync(new URL('../../docs/files.md', import.meta.url), 'utf8');

/** The codes that begin the rows of the tables in this section. */
function codesIn(section: string): string[] {
  const [text = ''] = (DOCS.split(`\n## ${section}\n`)[1] ?? '').split('\n## ');
  return [...text.matchAll(/^\| `(\w+)` \|[^|]+\|[^|]+\|$/gm)].map((it) => it[1] ?? '');
}

it('docs/files.md says what each malformed row means, and what to do', () => {
  expect(codesIn('Malformed rows').toSorted()).toEqual([...ROW_FAULT_CODES].toSorted());
});

it('docs/files.md says what each error of a file means, and what to do', () => {
  const ofRows: readonly string[] = ROW_FAULT_CODES;
  const ofFiles = FILE_FAULT_CODES.filter((it) => !ofRows.includes(it));
  // A row can be so long that the file ends with it.
  expect(codesIn('Errors of a file').toSorted()).toEqual([...ofFiles, 'row_too_long'].toSorted());
});
