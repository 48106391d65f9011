import { beforeEach, describe, expect, it } from 'vitest';
import { rememberFor } from '../../functions/tenants/remember-for.ts';
import { NOON_MS, testClock } from '../support/world.ts';

const clock = testClock();
/** What is stored by now, and how often somebody has looked. */
let stored: string | undefined;
let looks: number;
/** What happens between the look-up and its answer. */
let meanwhile: () => void;

const find = async () => {
  const found = stored;
  looks += 1;
  meanwhile();
  return found;
};

beforeEach(() => {
  clock.set(NOON_MS);
  stored = 'old';
  looks = 0;
  meanwhile = () => undefined;
});

describe('what is remembered for 30 seconds', () => {
  it('is looked up once in that time', async () => {
    const lookUp = rememberFor(30_000, find);
    await lookUp({ clock }, 'it');
    clock.advance(29_999);
    await lookUp({ clock }, 'it');
    expect(looks).toBe(1);
    clock.advance(1);
    await lookUp({ clock }, 'it');
    expect(looks).toBe(2);
  });

  it('is looked up again by an instance that was frozen in the middle of it', async () => {
    const lookUp = rememberFor(30_000, find);
    meanwhile = () => {
      clock.advance(600_000);
      stored = undefined;
      meanwhile = () => undefined;
    };

    expect(await lookUp({ clock }, 'it')).toBeUndefined();
    expect(looks).toBe(2);
  });

  it('counts from before the look-up', async () => {
    const lookUp = rememberFor(30_000, find);
    meanwhile = () => clock.advance(29_000);
    expect(await lookUp({ clock }, 'it')).toBe('old');
    stored = 'new';
    clock.advance(1_000);

    expect(await lookUp({ clock }, 'it')).toBe('new');
  });

  it('is forgotten when the clock goes backward', async () => {
    const lookUp = rememberFor(30_000, find);
    await lookUp({ clock }, 'it');
    stored = 'new';
    clock.advance(-300_000);

    expect(await lookUp({ clock }, 'it')).toBe('new');
  });

  it('is nothing that was not there: it may come at any time', async () => {
    const lookUp = rememberFor(30_000, find);
    stored = undefined;
    expect(await lookUp({ clock }, 'it')).toBeUndefined();
    stored = 'new';

    expect(await lookUp({ clock }, 'it')).toBe('new');
  });
});
