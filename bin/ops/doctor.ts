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
    try {
      for (const look of looksOf(desk)) symptoms.push(...(await lookAt(look)));
    } finally {
      // Where there is no such stack, what was seen before is told all the same.
      for (const line of inColumns(symptoms.map(rowOf))) desk.print(line);
    }
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
function looksOf({ at, clock }: Desk): readonly Look[] {
  const nowMs = clock.nowMs();
  const visitor = at.visitor();
  return [
    { about: 'the API', look: () => askApi(visitor) },
    { about: 'dead letters', look: async () => askDeadLetters(await at.admin()) },
    {
      about: 'unrelayed events',
      look: async () => askOutbox(await at.db('control', 'outbox'), nowMs),
    },
    {
      about: 'received webhooks',
      look: async () => askFailedWebhooks(await at.db('control', 'inbox'), nowMs),
    },
    ...SWEPT_TABLES.map((table) => ({
      about: `due in ${table}`,
      look: async () => askDue(await at.db('control', table), { table, nowMs }),
    })),
  ];
}
