import { readFileSync, writeFileSync } from 'node:fs';

/** What to do when a document and the code say different things. Printed by a failing test. */
export const OUT_OF_DATE =
  'the document is out of date: UPDATE_DOCS=1 npx vitest run --project rooms test/docs';

/**
 * The text of a document between the lines `<!-- generated: NAME -->` and `<!-- end -->`. With
 * UPDATE_DOCS in the environment `wanted` is written there first. Throws without these lines.
 */
export function generatedPart(file: string, name: string, wanted: string): string {
  if (process.env.UPDATE_DOCS)
    writeFileSync(file, replacePart(readFileSync(file, 'utf8'), name, wanted));
  const document = readFileSync(file, 'utf8');
  const { from, to } = boundsOf(document, name);
  return document.slice(from, to);
}

function replacePart(document: string, name: string, wanted: string): string {
  const { from, to } = boundsOf(document, name);
  return document.slice(0, from) + wanted + document.slice(to);
}

function boundsOf(document: string, name: string): { readonly from: number; readonly to: number } {
  const head = `<!-- generated: ${name} -->\n`;
  const at = document.indexOf(head);
  const from = at + head.length;
  const to = document.indexOf('<!-- end -->', from);
  if (at < 0 || to < 0) throw new Error(`there is no part "${name}" between its two comments`);
  return { from, to };
}
