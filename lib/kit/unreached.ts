/**
 * Stands in for parts of the AWS clients that no call of ours reaches: event streams (used by
 * S3 Select and the like) and the discovery of endpoints (used by Timestream). They are a
 * sixteenth of a bundle. Had a call reached them after all, it would throw.
 */
export class EndpointCache {}

/** Leaves a client's settings as they are. */
export const resolveEventStreamSerdeConfig = <Settings>(settings: Settings): Settings => settings;

/** No client gets a reader of event streams. */
export const eventStreamSerdeProvider = (): undefined => undefined;
