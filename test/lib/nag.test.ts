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

it('passes the AWS Solutions rules, or acknowledges them by exact id with a reason', () => {
  const app = checked();
  stackIn(app);

  expect(() => app.synth()).not.toThrow();
});

it('would not pass with a queue that parks nothing', () => {
  const app = checked();
  new Queue(stackIn(app), 'Planted', { enforceSSL: true });

  expect(() => app.synth()).toThrow('AwsSolutions-SQS3');
});
