import { App } from 'aws-cdk-lib';
import { ACCESS } from '../lib/access.ts';
import { bundle } from '../lib/kit/bundle.ts';
import { optionsOf } from '../lib/options.ts';
import { TallyhookStack } from '../lib/tallyhook-stack.ts';

const app = new App({ analyticsReporting: false });
const options = optionsOf(app, process.env.AWS_ENDPOINT_URL);

new TallyhookStack(app, options.stage === 'dev' ? 'Tallyhook' : `Tallyhook-${options.stage}`, {
  description: 'Tallyhook: a serverless ledger with guaranteed webhooks.',
  options,
  bundles: await bundle(Object.keys(ACCESS)),
});
