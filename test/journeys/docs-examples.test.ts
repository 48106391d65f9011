import { writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Receiver, startReceiver } from '../../local/receiver/server.ts';
import { type Examples, readExamples } from '../docs/openapi/examples.ts';
import { readRooms } from '../docs/openapi/route-table.ts';
import { until } from '../support/until.ts';
import { walkFailing } from '../support/walk/failing-steps.ts';
import { formOf } from '../support/walk/form.ts';
import { withPlaceholders } from '../support/walk/placeholders.ts';
import { walkThrough } from '../support/walk/steps.ts';
import { Walk } from '../support/walk/walk.ts';

/** They are recorded anew when the form of one has changed, or when there are none. */
const OUT_OF_DATE =
  'the examples are out of date: UPDATE_DOCS=1 npx vitest run --project journeys ' +
  'test/journeys/docs-examples.test.ts, and then UPDATE_DOCS=1 npx vitest run --project rooms ' +
  'test/docs';

/** A time must pass until these are known, longer than a walk takes. */
const UNSEEN_EVENTS = ['file.expired', 'hold.expired'];

const { operations, eventTypes } = await readRooms();
const receivers: Receiver[] = [];
let walk: Walk;

beforeAll(async () => {
  const good = await startReceiver();
  const bad = await startReceiver({ failShare: 1 });
  const gone = await startReceiver({ decide: () => ({ status: 410 }) });
  receivers.push(good, bad, gone);
  const cloud = inject('cloud');
  walk = await Walk.begin(cloud);
  const { deadLettersUrl: deadLetters } = cloud;
  await walkThrough(walk, { good: good.url, bad: bad.url, deadLetters });
  await walkFailing(walk, { good: good.url, bad: bad.url, gone: gone.url }, cloud);
  await until(
    () => {
      walk.arrived(good.received.map(({ body }) => body.toString()));
      return unseenEvents();
    },
    (unseen) => unseen.length === 0,
  );
  if (
    process.env.UPDATE_DOCS &&
    !isDeepStrictEqual(formOf(readExamples()), formOf(walk.examples))
  ) {
    const text = JSON.stringify(withPlaceholders(walk.examples), null, 2);
    writeFileSync('docs/examples.json', `${text}\n`);
  }
});
afterAll(() => Promise.all(receivers.map((it) => it.close())));

function unseenEvents(): string[] {
  const seen = [...Object.keys(walk.examples.webhooks), ...UNSEEN_EVENTS];
  return Object.keys(eventTypes).filter((it) => !seen.includes(it));
}

it('calls every route whose answer is JSON: test/support/walk/steps.ts', () => {
  expect(walk.missing()).toEqual([]);
});

it('receives every event type', () => {
  expect(unseenEvents()).toEqual([]);
});

describe('the committed examples are of the form that is answered now', () => {
  let committed: Examples;
  beforeAll(() => {
    committed = readExamples();
  });

  it.each(operations.map(({ id }) => id))('%s', (id) => {
    expect(formOf(committed.operations[id]), OUT_OF_DATE).toEqual(
      formOf(walk.examples.operations[id]),
    );
  });

  it.each(['operations', 'refusals', 'webhooks'] as const)('all %s', (kind) => {
    expect(formOf(committed[kind]), OUT_OF_DATE).toEqual(formOf(walk.examples[kind]));
  });
});
