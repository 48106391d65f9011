import { DatabaseSync } from 'node:sqlite';

/**
 * Gives the engine's file an index that it lacks. Without it dynoxide 1.2.1 reads every stream
 * record of a table to number the next one, and sorts them all for each GetRecords: a write takes
 * 1 ms on an empty stream and 20 ms behind 8,000 events. Does nothing where the engine keeps its
 * stream otherwise, because then only time is lost.
 */
export function indexStreamRecords(file: string): void {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  try {
    database.exec(`CREATE INDEX IF NOT EXISTS stream_records_by_number
      ON _stream_records (table_name, CAST(sequence_number AS INTEGER))`);
  } catch (error) {
    if (!(error instanceof Error) || !/no such (table|column)/.test(error.message)) throw error;
  } finally {
    database.close();
  }
}
