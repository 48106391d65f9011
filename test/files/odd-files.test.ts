import { beforeAll, describe, expect, it } from 'vitest';
import { FAULT_ENTRY_BYTES } from '../../functions/files/fault-list.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import type { RowFault } from '../../functions/files/file-fault.ts';
import { faultsKey } from '../../functions/files/file-keys.ts';
import type { FileTerms } from '../../functions/files/file-terms.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { FilesHouse } from './files-house.ts';
import { ENCODED, PACKED } from './odd-bytes.ts';
import { BAD_FILES, BAD_ROWS, CSV } from './odd-csv.ts';
import type { OddFile, Wanted } from './odd-file.ts';
import { MESSAGES, NDJSON } from './odd-ndjson.ts';

const ODD_FILES: readonly (readonly [string, readonly OddFile[]])[] = [
  ['CSV', CSV],
  ['malformed rows', BAD_ROWS],
  ['other encodings', ENCODED],
  ['archives and binaries', PACKED],
  ['files that cannot be read, and empty ones', BAD_FILES],
  ['NDJSON', NDJSON],
  ['messages', MESSAGES],
];

interface Alert {
  readonly userId: string;
  readonly message?: string;
  readonly row: number;
  readonly columns: Readonly<Record<string, string>>;
}

let house: FilesHouse;
let endpoint: Endpoint;
beforeAll(async () => {
  house = await FilesHouse.open();
  endpoint = await house.addEndpoint();
});

/** The file after its upload was parsed, and what the parser has stored. */
async function parse(content: string | Buffer, terms: Partial<FileTerms> = {}) {
  house.world.sent.length = 0;
  const uploaded = await house.upload(endpoint, content, terms);
  const message = house.takeMessage();
  if (message) await house.handle(message);
  const file = await house.find(uploaded);
  const alerts = segmentsOf(file).flatMap((it) => linesOf(it)) as Alert[];
  const faults = house.world.objects.get(faultsKey(file)) ?? new Uint8Array(0);
  return { file, alerts, faults };
}

function segmentsOf({ id }: AlertFile): Uint8Array[] {
  const entries = [...house.world.objects].filter(([key]) => key.includes(`/${id}/`));
  return entries.filter(([key]) => /\/s-\d+\.ndjson$/.test(key)).map(([, body]) => body);
}

function linesOf(body: Uint8Array): unknown[] {
  const lines = Buffer.from(body).toString().split('\n').slice(0, -1);
  return lines.map((it) => JSON.parse(it));
}

describe.each(ODD_FILES)('%s', (_kind, files) => {
  it.each(files)('%s', async (...[, content, wanted, terms]: OddFile) => {
    const { file, alerts, faults } = await parse(content, terms);

    expect(file.error?.detail ?? '.').toMatch(/\.$/);
    expect(factsOf(file)).toEqual(wantedFacts(wanted));
    if (wanted.error) {
      expect(house.world.sent).toEqual([]);
      return;
    }
    expect(alerts.map((it) => `${it.row} ${it.userId}`)).toEqual(wanted.users ?? []);
    expect((linesOf(faults) as RowFault[]).map((it) => `${it.row} ${it.byte} ${it.code}`)).toEqual(
      wanted.malformed ?? [],
    );
    expect(faults.length % FAULT_ENTRY_BYTES).toBe(0);
    if (wanted.columns) expect(alerts[0]?.columns).toEqual(wanted.columns);
    if (alerts.length > 0) expect(alerts[0]?.message).toBe(wanted.message);
  });
});

it('has at least sixty of them', () => {
  expect(ODD_FILES.flatMap(([, files]) => files).length).toBeGreaterThanOrEqual(60);
});

function factsOf(file: AlertFile) {
  const { rows, alerts, duplicates, malformed, malformedBy, error } = file;
  const { code, row, byte } = error ?? {};
  const isFailed = file.state === 'failed';
  return { isFailed, rows, alerts, duplicates, malformed, malformedBy, code, row, byte };
}

function wantedFacts({ users = [], duplicates = 0, malformed = [], error }: Wanted) {
  const counts = { alerts: users.length, duplicates, malformed: malformed.length };
  const codes = malformed.map((it) => it.split(' ')[2] ?? '');
  const malformedBy = Object.fromEntries(
    codes.map((code) => [code, codes.filter((it) => it === code).length]),
  );
  return {
    isFailed: error !== undefined,
    rows: counts.alerts + counts.duplicates + counts.malformed,
    ...counts,
    malformedBy: codes.length === 0 ? undefined : malformedBy,
    ...{ code: error?.code, row: error?.row, byte: error?.byte },
  };
}
