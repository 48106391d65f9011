/**
 * Stands in for `@aws-sdk/credential-provider-node` in the bundles. Lambda puts the role's
 * credentials into the environment, so the search through files, SSO and metadata services is
 * left out: it is two fifths of a client's size and of its import time. They hold for the life
 * of the process, hence no refresh.
 */
export const defaultProvider = () => async () => {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) throw new Error('no AWS keys in environment');
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
  };
};
