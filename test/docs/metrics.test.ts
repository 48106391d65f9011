import { expect, it } from 'vitest';
import { generatedPart, OUT_OF_DATE } from './generated-part.ts';
import { metricTable } from './metric-table.ts';

it('lists every metric that /metrics shows, with its labels and what it tells', () => {
  const wanted = metricTable();

  expect(generatedPart('docs/metrics.md', 'metrics', wanted), OUT_OF_DATE).toBe(wanted);
});
