import { expect, it } from 'vitest';
import { accessMatrix } from './access-matrix.ts';
import { generatedPart, OUT_OF_DATE } from './generated-part.ts';

it('shows who may do what as lib/access.ts grants it', () => {
  const wanted = accessMatrix();

  expect(generatedPart('docs/architecture.md', 'access', wanted), OUT_OF_DATE).toBe(wanted);
});
