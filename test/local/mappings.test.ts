import { describe, expect, it } from 'vitest';
import { instancesFor, type Mapping } from '../../local/mappings.ts';

function mapping(functionName: string, concurrency?: number): Mapping {
  const ScalingConfig = { MaximumConcurrency: concurrency };
  const properties = concurrency === undefined ? {} : { ScalingConfig };
  const resource = { id: 'it', type: 'AWS::Lambda::EventSourceMapping', properties };
  return {
    id: 'it',
    isEnabled: true,
    functionName,
    sourceArn: '',
    onFailureArn: undefined,
    resource,
  };
}

describe('instancesFor', () => {
  it.each([
    { of: [295, 119], is: [7, 3] },
    { of: [198, 123], is: [6, 4] },
    { of: [50, 50, 50], is: [3, 4, 3] },
    { of: [295], is: [10] },
    { of: [4, 3], is: [4, 3] },
    { of: [1_000, 2], is: [9, 1] },
    { of: [2, 1_000], is: [1, 9] },
    { of: [undefined], is: [10] },
  ])('divides ten among $of', ({ of, is }) => {
    const mine = of.map((it) => mapping('mine', it));
    const all = [...mine, mapping('other', 1_000)];
    expect(mine.map((it) => instancesFor(it, all, 10))).toEqual(is);
  });
});
