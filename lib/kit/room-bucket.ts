import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, BucketEncryption, type CfnBucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { Settings } from './settings.ts';

/** Days that objects live, by prefix. */
const LIFETIME_DAYS = {
  // As long as a file that failed can be parsed again.
  'incoming/': 30,
  // The hourly look for lost events reads all of it, so it is kept short.
  'drop/': 7,
  // Bodies of retried alerts are read from here: their deliveries end 30 days after the reading.
  'work/': 32,
  'results/': 30,
};

/** The bucket of files: private, encrypted, versioned, TLS only, and it tells EventBridge. */
export class RoomBucket extends Bucket {
  constructor(scope: Construct, id: string, { options }: Settings) {
    super(scope, id, {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      versioned: true,
      removalPolicy: options.stage === 'prod' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      lifecycleRules: [
        ...Object.entries(LIFETIME_DAYS).map(([prefix, days]) => ({
          prefix,
          expiration: Duration.days(days),
        })),
        {
          abortIncompleteMultipartUploadAfter: Duration.days(1),
          noncurrentVersionExpiration: Duration.days(7),
          expiredObjectDeleteMarker: true,
        },
      ],
    });
    // The property of the bucket itself: `eventBridgeEnabled` would add a custom resource.
    const bucket = this.node.defaultChild as CfnBucket;
    bucket.notificationConfiguration = {
      eventBridgeConfiguration: { eventBridgeEnabled: true },
    };
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Functions log what they read and write; CloudTrail data events record the rest.',
    });
  }
}
