import { openDb } from '../shared/aws/db.ts';
import { stream } from '../shared/aws/stream.ts';
import { tables } from '../shared/resources.ts';
import { jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { projectEntries } from './project-entries.ts';

const world = {
  clock: systemClock,
  ids: systemIds,
  log: jsonLog,
  db: openDb({ tables: tables('statements') }),
};

export const handler = stream(world, projectEntries);
