import { RemovalPolicy, Validations } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { Settings } from './settings.ts';

export interface RoomSecretProps {
  readonly settings: Settings;
  readonly description: string;
}

/** A secret that Secrets Manager invents at the first deployment: 64 letters and digits. */
export class RoomSecret extends Secret {
  constructor(scope: Construct, id: string, { settings, description }: RoomSecretProps) {
    super(scope, id, {
      description,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      removalPolicy:
        settings.options.stage === 'prod' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'Rotated by hand: a value that changes by itself would lock operators and data out.',
    });
  }
}
