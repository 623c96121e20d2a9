/**
 * The credentials of the function's role. Lambda sets them as environment variables before it loads the code, and they
 * do not change while the environment exists
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
 */

/** Replaces the function of this name in `@aws-sdk/credential-provider-node`. */
export const defaultProvider = () => async () => {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = process.env
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw new Error('environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are required')
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) }
}
