import { toFile } from '../../../functions/files/file.store.ts';
import type { AlertFile } from '../../../functions/files/file.ts';
import type { Item } from '../../../functions/shared/world.ts';
import type { Snapshot } from './snapshot.ts';

const FINAL = ['completed', 'failed', 'expired', 'cancelled'];

/**
 * F1 rows = alerts + duplicates + malformed, and alerts = delivered + failed + uncertain +
 * cancelled + pending. D1 a file that is not at its end has `due`. O3 for a system at rest: every
 * file is at its end. Answers one sentence per violation.
 */
export function checkFiles({ files }: Pick<Snapshot, 'files'>): string[] {
  return files.filter(({ sk }) => sk === '#').flatMap((item) => check(toFile(item), item));
}

function check(file: AlertFile, item: Item): string[] {
  const { rows, alerts, duplicates, malformed } = file;
  const { delivered, failed, uncertain, cancelled, pending } = file;
  const violations: string[] = [];
  if (rows !== alerts + duplicates + malformed) {
    violations.push(`F1 ${file.id} has ${rows} rows, not ${alerts} + ${duplicates} + ${malformed}`);
  }
  const settled = delivered + failed + uncertain + cancelled;
  if (alerts !== settled + pending) {
    violations.push(`F1 ${file.id} has ${alerts} alerts, not ${settled} settled + ${pending}`);
  }
  const isFinal = FINAL.includes(file.state);
  if (!isFinal) violations.push(`O3 the file ${file.id} is ${file.state}`);
  if (isFinal === (item.duePk !== undefined)) {
    violations.push(`D1 ${file.id} is ${file.state} and ${isFinal ? 'still' : 'not'} due`);
  }
  if (file.state === 'completed' && pending !== 0) {
    violations.push(`F1 ${file.id} is completed with ${pending} pending`);
  }
  return violations;
}
