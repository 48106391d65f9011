import { Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, it } from 'vitest';
import { STACK_TABLES } from '../../bin/stack-resources.ts';
import { appWith, at, ofType, resourcesWith, stackIn } from '../support/stack.ts';

const LABEL = '2026-11-21T10:00:00.123';
const RESTORED = { restoreFrom: `Tallyhook-r1@${LABEL}` };
const ORDINARY = resourcesWith({ stage: 'prod' });
const RESOURCES = resourcesWith({ stage: 'prod', ...RESTORED });

const variablesOf = (resources: typeof RESOURCES) =>
  ofType(resources, 'Lambda::Function').map(([, { Properties }]) => [
    Properties.Description,
    at(Properties, 'Environment.Variables') as Record<string, unknown>,
  ]) as [string, Record<string, unknown>][];

const isTable = ([name]: readonly [string, unknown]) => name.startsWith('TABLE_');

it('leaves every table out of the stack but that of the meters', () => {
  const made = ofType(RESOURCES, 'DynamoDB::Table').map(([id]) => id);
  expect(made).toEqual([expect.stringMatching(/^OperationsMeters/)]);
  expect(ofType(ORDINARY, 'DynamoDB::Table')).toHaveLength(STACK_TABLES.length + 1);
});

it('keeps the tables that it leaves, and all else where it was', () => {
  for (const [, table] of ofType(ORDINARY, 'DynamoDB::Table')) {
    expect(table).toMatchObject({ DeletionPolicy: 'Retain' });
  }
  const others = (resources: typeof RESOURCES) =>
    Object.keys(resources)
      .filter((id) => resources[id]?.Type !== 'AWS::DynamoDB::Table')
      .filter((id) => !/AWS::(Lambda::EventSourceMapping|ApiGatewayV2::Deployment)/.test(id))
      .toSorted();
  expect(others(RESOURCES)).toEqual(others(ORDINARY));
});

it('tells each function the restored tables, under the variables that it knows', () => {
  const ordinary = variablesOf(ORDINARY);
  for (const [index, [entry, variables]] of variablesOf(RESOURCES).entries()) {
    const own = Object.entries(variables).filter(isTable);
    expect([entry, Object.keys(variables)]).toEqual([
      ordinary[index]?.[0],
      Object.keys(ordinary[index]?.[1] ?? {}),
    ]);
    for (const [variable, name] of own.filter(([it]) => it !== 'TABLE_METERS')) {
      expect(name).toBe(`Tallyhook-r1-${variable.slice('TABLE_'.length).toLowerCase()}`);
    }
  }
});

it('reads the stream that the restored outbox was given', () => {
  const sources = ofType(RESOURCES, 'Lambda::EventSourceMapping').filter(
    ([, { Properties }]) => Properties.StartingPosition !== undefined,
  );
  expect(sources).toHaveLength(2);
  for (const [, { Properties }] of sources) {
    const arn = JSON.stringify(Properties.EventSourceArn);
    expect(arn).toContain(`:table/Tallyhook-r1-outbox/stream/${LABEL}`);
  }
});

it('grants what lib/access.ts says of the restored tables, and nothing of those before', () => {
  const policies = ofType(RESOURCES, 'IAM::Policy').map(([, it]) => JSON.stringify(it));
  const before = ofType(ORDINARY, 'DynamoDB::Table').map(([id]) => id);
  for (const table of STACK_TABLES) {
    expect(policies.some((it) => it.includes(`:table/Tallyhook-r1-${table}"`))).toBe(true);
  }
  const stillNamed = before.filter((id) => policies.some((it) => it.includes(`"${id}"`)));
  expect(stillNamed).toEqual([expect.stringMatching(/^OperationsMeters/)]);
  const count = (resources: typeof RESOURCES) =>
    ofType(resources, 'IAM::Policy').flatMap(([, it]) =>
      at(it.Properties, 'PolicyDocument.Statement'),
    ).length;
  expect(count(RESOURCES)).toBe(count(ORDINARY));
});

it('passes the AWS Solutions rules', () => {
  const app = appWith(RESTORED);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  stackIn(app);
  expect(() => app.synth()).not.toThrow();
});

it.each(['Tallyhook-r1', 'Tallyhook-r1@latest', '@2026-11-21T10:00:00.123', 'a b@c'])(
  'stops the synthesis by name when it is %j',
  (restoreFrom) => {
    expect(() => resourcesWith({ restoreFrom })).toThrow('restoreFrom');
  },
);

it.each(['Tallyhook-prod-r1', 'Tallyhook', 'Tallyhook-r', 'Other-r1', 'Tallyhook-r1-r2'])(
  'refuses the tables of another stack: %s',
  (prefix) => {
    expect(() => resourcesWith({ restoreFrom: `${prefix}@${LABEL}` })).toThrow(
      `${prefix}-ledger was not restored for Tallyhook, whose restored tables are Tallyhook-r1-`,
    );
  },
);

it('tells the next deployment which tables it is on', () => {
  const outputsWith = (context: Record<string, string>) =>
    Template.fromStack(stackIn(appWith(context))).toJSON().Outputs;
  expect(outputsWith(RESTORED).RestoredFrom).toEqual({ Value: RESTORED.restoreFrom });
  expect(outputsWith({ stage: 'prod' }).RestoredFrom).toBeUndefined();
});
