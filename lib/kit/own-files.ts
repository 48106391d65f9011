import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const ROOT = join(import.meta.dirname, '../..');

const read = (path: string) => readFileSync(join(ROOT, path));

/** The reference of the API: one file that needs nothing else. */
const UI = 'node_modules/openapi-explorer/dist/browser/openapi-explorer.min.js';

/** Files that lie beside the code of a function: by entry, each name with how it is made. */
export const OWN_FILES: Readonly<Record<string, Readonly<Record<string, () => Uint8Array>>>> = {
  'docs/api': {
    'openapi.json': () =>
      Buffer.from(JSON.stringify(JSON.parse(String(read('docs/openapi.json'))))),
    'ui.js.gz': () => gzipSync(read(UI), { level: 9 }),
  },
};
