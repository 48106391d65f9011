import { type App, Validations } from 'aws-cdk-lib';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, it } from 'vitest';
import { appWith, stackIn } from '../support/stack.ts';

function checked(): App {
  const app = appWith();
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}

// The rules walk the whole tree of constructs, which takes seconds on a quiet machine.
const LIMIT_MS = 120_000;

it(
  'passes the AWS Solutions rules, or acknowledges them by exact id with a reason',
  () => {
    const app = checked();
    stackIn(app);

    expect(() => app.synth()).not.toThrow();
  },
  LIMIT_MS,
);

it(
  'would not pass with a queue that parks nothing',
  () => {
    const app = checked();
    new Queue(stackIn(app), 'Planted', { enforceSSL: true });

    expect(() => app.synth()).toThrow('AwsSolutions-SQS3');
  },
  LIMIT_MS,
);
