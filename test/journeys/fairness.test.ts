import { expect, inject, it } from 'vitest';
import { quietBesideNoisy } from '../support/noisy-neighbour.ts';

const cloud = inject('cloud');

it('lets no tenant wait behind 500 deliveries of another one whose receiver hangs', async () => {
  expect(await quietBesideNoisy(cloud)).toBeLessThan(15_000);
});
