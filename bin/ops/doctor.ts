import { answered } from '../../functions/shared/aws/answered.ts';
import { Problem } from '../../functions/shared/problem.ts';
import type { Db } from '../../functions/shared/world.ts';
import { SWEPT_TABLES } from '../../functions/timers/due-table.ts';
import type { Command, Desk } from './command.ts';
import { askApi, askDeadLetters } from './doctor-api.ts';
import { askDue, askOutbox } from './doctor-tables.ts';
import { askFailedWebhooks } from './failed-webhooks.ts';
import { inColumns } from './rows.ts';
import { type Look, lookAt, type Symptom } from './symptom.ts';

/** Looks at everything that tells whether a person is needed. */
export const doctor: Command = {
  name: 'doctor',
  form: '',
  help: ['It ends with code 1 when a person is needed. It changes nothing.'],
  flags: {},
  wordsMax: 0,
  async run(_given, desk) {
    const symptoms: Symptom[] = [];
    for (const look of await looksOf(desk)) symptoms.push(...(await lookAt(look)));
    for (const line of inColumns(symptoms.map(rowOf))) desk.print(line);
    const wanted = new Set(
      symptoms.flatMap(({ advice }) => (advice === undefined ? [] : [advice])),
    );
    desk.print(wanted.size === 0 ? 'Nobody is needed.' : 'What to do next (docs/runbook.md):');
    for (const advice of wanted) desk.print(`- ${advice}`);
    return wanted.size === 0 ? 'done' : 'person';
  },
};

function rowOf({ about, seen, advice }: Symptom): string[] {
  return [advice === undefined ? 'ok' : 'LOOK', about, seen];
}

/** Each by itself: where one thing is out of order, the others are to be seen all the more. */
async function looksOf(desk: Desk): Promise<readonly Look[]> {
  const nowMs = desk.clock.nowMs();
  const visitor = desk.at.visitor();
  const opened = openTables(desk);
  await opened.catch((error: unknown) => {
    // A wrong name is for whoever has typed it; an outage is what this command is for.
    if (!(error instanceof Problem)) throw error;
  });
  return [
    { about: 'the API', look: () => askApi(visitor) },
    { about: 'dead letters', look: async () => askDeadLetters(await desk.at.admin()) },
    { about: 'unrelayed events', look: async () => askOutbox(await opened, nowMs) },
    { about: 'received webhooks', look: async () => askFailedWebhooks(await opened, nowMs) },
    ...SWEPT_TABLES.map((table) => ({
      about: `due in ${table}`,
      look: async () => askDue(await opened, { table, nowMs }),
    })),
  ];
}

/** Throws `unavailable` where DynamoDB does not answer. */
function openTables({ at }: Desk): Promise<Db> {
  const others = SWEPT_TABLES.filter((it) => it !== 'control');
  return answered('database', () => at.db('control', 'outbox', ...others));
}
